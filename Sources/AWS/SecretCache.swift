import Platform

/// Caches the secret: reads it when it is first needed, keeps it for about an hour, and replaces it at once when the
/// database refuses it.
///
/// May be called on any thread; blocks during a fetch, which one thread at a time does. While Secrets Manager is away
/// the last secret stays in use.
public final class SecretCache: Sendable {
    /// A secret and its generation.
    public struct Entry: Sendable, Equatable {
        public let secret: DatabaseSecret
        /// From 1; grows when the secret has changed.
        public let generation: UInt64
    }

    private let time: TimeSource
    private let fetch: @Sendable () throws(SecretError) -> DatabaseSecret
    private let observe: @Sendable (SecretEvent) -> Void
    /// Held briefly.
    private let state = Lock(SecretCacheState())
    /// Held during a fetch.
    private let flight = Lock(())

    /// Sends no request yet.
    ///
    /// - Parameters:
    ///   - time: the machine's, or a test's.
    ///   - fetch: may block; never called concurrently.
    ///   - observe: called on the fetching thread, while only the lock of the fetch is held.
    public init(
        time: TimeSource = .system, fetch: @escaping @Sendable () throws(SecretError) -> DatabaseSecret,
        observe: @escaping @Sendable (SecretEvent) -> Void = { _ in }
    ) {
        self.time = time
        self.fetch = fetch
        self.observe = observe
    }

    /// The secret to connect with. When it has expired, one caller fetches and the others get the previous one.
    ///
    /// - Throws: only when there is no previous secret; within a second of a failure, the same error without another
    ///   attempt.
    public func current() throws(SecretError) -> Entry {
        switch (need { $0.need(at: $1) }) {
        case .use(let entry): return entry
        case .refuse(let error): throw error
        case .refresh(let entry):
            return try flight.withLockIfFree { (_) throws(SecretError) in try fly { $0.need(at: $1) } } ?? entry
        case .fetch:
            return try flight.withLock { (_) throws(SecretError) in try fly { $0.need(at: $1) } }
        }
    }

    /// The secret to use after PostgreSQL reported 28P01 (invalid_password) or 28000
    /// (invalid_authorization_specification).
    ///
    /// Concurrent callers wait for the same fetch.
    ///
    /// - Parameter generation: the generation that the connection was attempted with.
    /// - Returns: a larger generation when there is another secret to try at once; else the same one, because Secrets
    ///   Manager still has it, is away, or was asked for this reason less than a quarter of a second ago.
    public func refetch(after generation: UInt64) throws(SecretError) -> Entry {
        try flight.withLock { (_) throws(SecretError) in
            let entry = try fly(isRefetch: true) { $0.need(refused: generation, at: $1) }
            return entry
        }
    }

    private func need(_ decide: (SecretCacheState, Instant) -> SecretCacheState.Need) -> SecretCacheState.Need {
        state.withLock { decide($0, time.monotonic()) }
    }

    /// Fetches if that is still necessary; the caller holds `flight`.
    private func fly(
        isRefetch: Bool = false, _ decide: (SecretCacheState, Instant) -> SecretCacheState.Need
    ) throws(SecretError) -> Entry {
        switch need(decide) {
        case .use(let entry): return entry
        case .refuse(let error): throw error
        case .refresh, .fetch: break
        }
        if isRefetch { state.withLock { $0.refetching(at: time.monotonic()) } }
        do throws(SecretError) {
            let secret = try fetch()
            let (entry, event) = state.withLock { $0.fetched(secret, at: time.monotonic(), fraction: time.fraction()) }
            observe(event)
            return entry
        } catch {
            let (entry, event) = state.withLock { $0.failed(error, at: time.monotonic()) }
            observe(event)
            guard let entry else { throw error }
            return entry
        }
    }
}
