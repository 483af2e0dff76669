import CPostgres
import Platform
public import Reactor
import Synchronization

/// Opens connections on threads of their own, since libpq's connect resolves names by blocking (PostgreSQL documentation
/// §34.1, PQconnectStart).
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
    ///   - options: asked before every attempt, so that a new password is used by the next one; may block.
    ///   - statements: prepared on every connection before it serves, unless the options forbid it; others are sent whole.
    ///   - prepare: runs on every new connection before it serves; may block, for instance to apply migrations once.
    ///   - schemaChanged: called when the server refuses one of `statements`, before the next attempt.
    ///   - renew: called when the server refuses the user or the password of these options; may block. True when
    ///     `options` has others by now: the attempt is made again with them, once.
    ///   - interruption: ends what is on its way to a connection, and lets nothing else begin.
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

    /// A connection ready for its loop, with what is prepared on it by ordinal.
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
                // Whoever asks for unprepared statements has a pooler, which may take one Sync at a time.
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
                // From here on no call of libpq may block: the loop waits for the socket.
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

    /// Gives up what is on its way to a connection, and waits until the server has heard of what it is not to run on; at most
    /// for `limit`. A name that is being resolved, or a secret that is being read, is not waited for.
    func interrupt(on loop: EventLoop, within limit: Duration) async {
        guard let interruption else { return }
        interruption.begin()
        let end = Instant.now + limit
        while sessionCount.value > 0 && Instant.now < end {
            await loop.pause(for: Self.interruptionPause)
        }
    }

    /// Between two looks whether the last session is gone.
    private static let interruptionPause = Duration.milliseconds(5)

    /// Sessions that prepare to be connections.
    final class SessionCount: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .acquiring) }
        func add(_ difference: Int) { count.wrappingAdd(difference, ordering: .releasing) }
    }

    /// A session with the options of this moment, or with those that `renew` found when the server refused them; blocks.
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

    /// Cancel requests on their way at once, over all pools: to a server that is silent each takes a thread and a socket
    /// for as long as it is.
    static let cancelLimit = 4
    private static let cancelCount = Atomic<Int>(0)
    /// Threads that send a cancel request, those among them that nobody waits for any more: PQcancel of libpq 15 waits
    /// without limit for a server that takes connections and is frozen.
    static let cancelThreadLimit = 12
    private static let cancelThreadCount = Atomic<Int>(0)

    /// What became of a cancel request.
    enum CancelOutcome {
        /// The server has heard it, or cannot.
        case ended
        /// Its time is over, and it may still arrive.
        case overdue
        /// It was not sent: too many others are on their way.
        case refused
    }

    /// Sends a cancel request on a thread of its own, best effort.
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
