import Platform

/// Decides when the cached secret is used and when Secrets Manager is asked. It performs nothing.
struct SecretCacheState {
    /// One hour, as in AWS's own caching clients. The database's refusal reveals a rotation, so this only bounds how
    /// long one of two alternating users stays in use.
    static let lifetime = Duration.seconds(3600)

    /// The lifetime is shortened at random by up to this fraction, so that a fleet that started together does not fetch
    /// together.
    static let lifetimeJitter = 0.25

    /// Pause after a failed refresh: outages of Secrets Manager last minutes, and the previous secret serves meanwhile.
    static let retryInterval = Duration.seconds(60)

    /// Interval between two fetches that a refusal by the database caused. A rotation changes the password some seconds
    /// before the secret, and in between no connection can be opened. A secret that stays wrong must not cause a fetch
    /// per connection attempt.
    static let refetchInterval = Duration.milliseconds(250)

    /// Pause after a failed fetch without a previous secret: as `refetchInterval`, but no request can be served
    /// meanwhile.
    static let failureInterval = Duration.seconds(1)

    enum Need: Equatable {
        case use(SecretCache.Entry)
        /// Fetch. The entry is for callers that do not wait, and for all callers when the fetch fails.
        case refresh(SecretCache.Entry)
        case fetch
        case refuse(SecretError)
    }

    private var entry: SecretCache.Entry?
    private var dueAt = Instant(nanoseconds: 0)
    private var error: SecretError?
    private var refetchAllowedAt = Instant(nanoseconds: 0)

    func need(at now: Instant) -> Need {
        guard let entry else {
            if let error, now < dueAt { return .refuse(error) }
            return .fetch
        }
        return now < dueAt ? .use(entry) : .refresh(entry)
    }

    /// As `need`, after the database has refused this generation.
    func need(refused generation: UInt64, at now: Instant) -> Need {
        guard let entry else { return need(at: now) }
        return entry.generation == generation && now >= refetchAllowedAt ? .refresh(entry) : .use(entry)
    }

    /// A fetch begins because of a refusal.
    mutating func refetching(at now: Instant) {
        refetchAllowedAt = now + Self.refetchInterval
    }

    mutating func fetched(_ secret: DatabaseSecret, at now: Instant, fraction: Double) -> (
        SecretCache.Entry, SecretEvent
    ) {
        precondition(0..<1 ~= fraction, "\(fraction) is not at least 0 and below 1")
        dueAt = now + Self.lifetime * (1 - Self.lifetimeJitter * fraction)
        error = nil
        if let entry, entry.secret == secret { return (entry, .unchanged) }
        let newer = SecretCache.Entry(secret: secret, generation: (entry?.generation ?? 0) + 1)
        entry = newer
        return (newer, .changed(generation: newer.generation))
    }

    /// - Returns: nil in place of an entry when there is no previous secret.
    mutating func failed(_ error: SecretError, at now: Instant) -> (SecretCache.Entry?, SecretEvent) {
        self.error = error
        guard let entry else {
            dueAt = now + Self.failureInterval
            return (nil, .fetchFailed(error))
        }
        dueAt = max(dueAt, now + Self.retryInterval)
        return (entry, .refreshFailed(error))
    }
}
