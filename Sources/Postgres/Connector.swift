import CPostgres
import Platform
public import Reactor
import Synchronization

/// Opens connections on separate threads, because libpq's connect blocks while it resolves names (PostgreSQL
/// documentation §34.1, PQconnectStart).
public struct Connector: Sendable {
    let options: @Sendable () throws(DatabaseError) -> ConnectionOptions
    let renew: @Sendable (_ refused: ConnectionOptions) -> Bool
    private let order = TargetOrder()
    private let interruption: Interruption?
    let sessionCount = SessionCount()
    let statements: [Statement]
    let prepare: @Sendable (Session) throws(DatabaseError) -> Void
    let schemaChanged: @Sendable () -> Void

    /// - Parameters:
    ///   - options: evaluated before every attempt, so that the next attempt uses a new password; may block.
    ///   - statements: prepared on every new connection, unless the options forbid it; other statements are sent as
    ///     text.
    ///   - prepare: runs on every new connection before it is used; may block, for instance to apply migrations once.
    ///   - schemaChanged: called if the server refuses one of `statements`, before the next attempt.
    ///   - renew: called if the server refuses the user or the password of these options; may block. True if `options`
    ///     now returns others: the attempt is then repeated with them, once.
    ///   - interruption: ends attempts in progress and prevents new ones.
    public init(
        options: @escaping @Sendable () throws(DatabaseError) -> ConnectionOptions,
        statements: [Statement] = [],
        prepare: @escaping @Sendable (Session) throws(DatabaseError) -> Void = { (_) throws(DatabaseError) in },
        schemaChanged: @escaping @Sendable () -> Void = {},
        renew: @escaping @Sendable (_ refused: ConnectionOptions) -> Bool = { _ in false },
        interruption: Interruption? = nil
    ) {
        self.interruption = interruption
        self.options = options
        self.renew = renew
        self.statements = statements
        self.prepare = prepare
        self.schemaChanged = schemaChanged
    }

    /// A connection that is ready for its loop, with the prepared statements by ordinal.
    struct Opened: Sendable {
        let handle: Handle
        let prepared: [Bool]
        /// Whether a pooler may give each transaction another session of the server.
        let isPooled: Bool
    }

    /// An open connection in pipeline mode, or why there is none.
    func connect() async -> Result<Opened, DatabaseError> {
        let outcome = await BlockingThread.run { () -> Result<Opened, DatabaseError> in
            do throws(DatabaseError) {
                let (session, options) = try open()
                sessionCount.add(1)
                defer { sessionCount.add(-1) }
                let isOwn = try session.set(options.settings)
                // Without prepared statements there is a pooler, which may support only one Sync at a time.
                let isPooled = !(isOwn && options.prepares)
                if isPooled && options.prepares { try session.requirePreparedStatementsOfPooler() }
                try prepare(session)
                var prepared: [Bool] = []
                if options.prepares {
                    try prepareStatements(on: session)
                    for statement in statements {
                        while prepared.count <= statement.ordinal { prepared.append(false) }
                        prepared[statement.ordinal] = true
                    }
                }
                let handle = session.handle
                // From here on no libpq call may block: the loop waits for the socket.
                guard unsafe PQsetnonblocking(handle.pointer, 1) == 0, unsafe PQenterPipelineMode(handle.pointer) == 1
                else {
                    throw .connectFailed(handle.message)
                }
                return .success(Opened(handle: handle, prepared: prepared, isPooled: isPooled))
            } catch {
                return .failure(error)
            }
        }
        return outcome ?? .failure(.connectFailed("no thread could be started"))
    }

    private func prepareStatements(on session: Session) throws(DatabaseError) {
        do throws(DatabaseError) { try session.prepare(statements) } catch {
            if case .server = error { schemaChanged() }
            throw error
        }
    }

    /// Ends attempts in progress and waits, at most for `limit`, until their cancel requests have reached the server.
    /// Does not wait for name resolution or for reading a secret.
    func interrupt(on loop: EventLoop, within limit: Duration) async {
        guard let interruption else { return }
        interruption.begin()
        let end = Instant.now + limit
        while sessionCount.value > 0 && Instant.now < end {
            await loop.pause(for: Self.interruptionPause)
        }
    }

    /// Interval between checks whether the last session has ended.
    private static let interruptionPause = Duration.milliseconds(5)

    /// Counts sessions that are not handed over as connections yet.
    final class SessionCount: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .acquiring) }
        func add(_ difference: Int) { count.wrappingAdd(difference, ordering: .releasing) }
    }

    /// A session with the current options, or with those that `renew` found after the server refused the first; blocks.
    public func session() throws(DatabaseError) -> Session { try open().session }

    private func open() throws(DatabaseError) -> (session: Session, options: ConnectionOptions) {
        let given = try options()
        do throws(DatabaseError) {
            return (try Session(given, in: order, unless: interruption), given)
        } catch {
            guard error.errorClass == .authentication, renew(given) else { throw error }
            let renewed = try options()
            return (try Session(renewed, in: order, unless: interruption), renewed)
        }
    }

    /// Concurrent cancel requests over all pools: with a silent server, each occupies a thread and a socket until its
    /// time limit.
    static let cancelLimit = 4
    private static let cancelCount = Atomic<Int>(0)
    /// Threads that send a cancel request, including those nobody waits for any more: PQcancel in libpq 15 waits
    /// without limit for a server that accepts connections and does not respond.
    static let cancelThreadLimit = 12
    private static let cancelThreadCount = Atomic<Int>(0)

    /// The outcome of a cancel request.
    enum CancelOutcome {
        /// The server has received it, or it cannot be sent.
        case ended
        /// Its time limit has passed; it may still arrive.
        case overdue
        /// Not sent: too many others are in progress.
        case refused
    }

    /// Sends a cancel request on a separate thread, best effort.
    ///
    /// - Parameter loop: the loop that runs the caller.
    static func cancel(_ request: CancelRequest, on loop: EventLoop, within limit: Duration) async -> CancelOutcome {
        defer { cancelCount.wrappingSubtract(1, ordering: .relaxed) }
        guard cancelCount.wrappingAdd(1, ordering: .relaxed).newValue <= cancelLimit else { return .refused }
        guard cancelThreadCount.wrappingAdd(1, ordering: .relaxed).newValue <= cancelThreadLimit else {
            cancelThreadCount.wrappingSubtract(1, ordering: .relaxed)
            return .refused
        }
        let end = Signal<CancelOutcome>()
        do throws(Thread.NoThread) {
            try Thread.start {
                request.send()
                cancelThreadCount.wrappingSubtract(1, ordering: .relaxed)
                end.give(.ended)
            }
        } catch {
            cancelThreadCount.wrappingSubtract(1, ordering: .relaxed)
            return .ended
        }
        let deadline = loop.makeDeadline { end.give(.overdue) }
        loop.arm(deadline, at: loop.now + limit)
        defer { loop.cancel(deadline) }
        return await end.value()
    }
}
