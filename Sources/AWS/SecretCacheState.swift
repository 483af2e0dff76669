/// When the secret in hand is used and when Secrets Manager is asked; decides and does nothing.
struct SecretCacheState {
    /// One hour, as AWS's own caching clients: a rotation is noticed by the database's refusal, so this only bounds
    /// how long a user of alternating ones stays in use.
    static let lifetimeMilliseconds = 3_600_000

    /// Up to this part of it less, at random: a fleet that started together does not ask together.
    static let lifetimeJitter = 0.25

    /// After a refresh that failed: Secrets Manager's outages last minutes, and the secret in hand serves meanwhile.
    static let retryIntervalMilliseconds = 60_000

    /// Between two fetches that a refusal by the database caused. Between a rotation's change of the password and its
    /// change of the secret lie seconds, in which nobody can connect; a wrong secret, which stays wrong, must not become
    /// a fetch for every connection that is tried.
    static let refetchIntervalMilliseconds = 250

    /// After a failed fetch with nothing in hand: as `refetchIntervalMilliseconds`, but nobody can be served meanwhile.
    static let failureIntervalMilliseconds = 1000

    enum Need: Equatable {
        case use(SecretCache.Entry)
        /// Fetch; the entry serves whoever does not want to wait, and everybody when that fails.
        case refresh(SecretCache.Entry)
        case fetch
        case refuse(SecretError)
    }

    private var entry: SecretCache.Entry?
    /// Moments are monotonic nanoseconds.
    private var dueAt: UInt64 = 0
    private var error: SecretError?
    private var refetchAllowedAt: UInt64 = 0

    func need(at now: UInt64) -> Need {
        guard let entry else {
            if let error, now < dueAt { return .refuse(error) }
            return .fetch
        }
        return now < dueAt ? .use(entry) : .refresh(entry)
    }

    /// As `need`, when the database has refused what this generation holds.
    func need(refused generation: UInt64, at now: UInt64) -> Need {
        guard let entry else { return need(at: now) }
        return entry.generation == generation && now >= refetchAllowedAt ? .refresh(entry) : .use(entry)
    }

    /// A fetch because of a refusal begins.
    mutating func refetching(at now: UInt64) {
        refetchAllowedAt = now + nanoseconds(Self.refetchIntervalMilliseconds)
    }

    mutating func fetched(_ secret: DatabaseSecret, at now: UInt64, fraction: Double) -> (
        SecretCache.Entry, SecretEvent
    ) {
        precondition(0..<1 ~= fraction, "\(fraction) is no fraction")
        let shortened = Double(Self.lifetimeMilliseconds) * (1 - Self.lifetimeJitter * fraction)
        dueAt = now + nanoseconds(Int(shortened))
        error = nil
        if let entry, entry.secret == secret { return (entry, .unchanged) }
        let newer = SecretCache.Entry(secret: secret, generation: (entry?.generation ?? 0) + 1)
        entry = newer
        return (newer, .changed(generation: newer.generation))
    }

    /// - Returns: nil in place of an entry when there is none in hand.
    mutating func failed(_ error: SecretError, at now: UInt64) -> (SecretCache.Entry?, SecretEvent) {
        self.error = error
        guard let entry else {
            dueAt = now + nanoseconds(Self.failureIntervalMilliseconds)
            return (nil, .fetchFailed(error))
        }
        dueAt = max(dueAt, now + nanoseconds(Self.retryIntervalMilliseconds))
        return (entry, .refreshFailed(error))
    }
}

private func nanoseconds(_ milliseconds: Int) -> UInt64 {
    UInt64(milliseconds) * 1_000_000
}
