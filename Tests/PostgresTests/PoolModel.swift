import Platform

@testable import Postgres

/// A `PoolState` with a virtual clock.
struct PoolModel {
    typealias Action = PoolState.Action
    typealias Request = PoolState.Request

    static let start = Instant(nanoseconds: 1_000_000_000_000)

    var state: PoolState
    var now = Self.start
    private var lastID: Request.ID = 0

    init(_ minimum: Int = 0, _ maximum: Int = 4) {
        state = PoolState(limits: .init(minimum: minimum, maximum: maximum))
    }

    /// A pool with `count` idle connections, numbered from 1.
    static func open(_ count: Int = 1, maximum: Int = 4) -> PoolModel {
        var model = PoolModel(count, max(count, maximum))
        for id in model.tell(.started).opening { model.connected(id) }
        return model
    }

    @discardableResult
    mutating func tell(_ event: PoolState.Event) -> [Action] { state.handle(event, at: now) }

    @discardableResult
    mutating func connected(_ id: Int, isPooled: Bool = false) -> [Action] {
        tell(.opened(id, took: .zero, isPooled: isPooled))
    }

    @discardableResult
    mutating func failed(
        _ id: Int, _ error: DatabaseError = .connectFailed("no"), took: Duration = .zero, jitter: Double = 1
    ) -> [Action] {
        tell(.openFailed(id, error, took: took, jitter: jitter))
    }

    /// A new statement, submitted now.
    mutating func request(
        _ kind: Statement.Kind = .read, rows: Int = 1, bytes: Int = 0, within limit: Duration? = nil
    ) -> Request {
        lastID += 1
        return Request(
            id: lastID, kind: kind, rows: rows, parameterByteCount: bytes, enqueued: now,
            deadline: limit.map { now + $0 } ?? .distantFuture)
    }

    /// Submits a statement; its id is the latest one.
    @discardableResult
    mutating func submit(
        _ kind: Statement.Kind = .read, rows: Int = 1, bytes: Int = 0, within limit: Duration? = nil
    ) -> [Action] {
        tell(.submitted(request(kind, rows: rows, bytes: bytes, within: limit), hasMemory: true))
    }

    /// Submits several statements and ends the iteration.
    @discardableResult
    mutating func send(_ kinds: Statement.Kind..., within limit: Duration? = nil) -> [Action] {
        for kind in kinds { submit(kind, within: limit) }
        return endIteration()
    }

    /// Ends the iteration until no work is left.
    @discardableResult
    mutating func endIteration() -> [Action] {
        var actions: [Action] = []
        repeat { actions += tell(.iterationEnded) } while state.hasWork
        return actions
    }

    /// Why a statement would be refused now; nil if accepted.
    var refusal: DatabaseError? {
        var copy = self
        let refused = copy.submit().failures
        return refused.values.first
    }

    mutating func lease(within limit: Duration? = nil) -> [Action] {
        lastID += 1
        return tell(
            .leaseWanted(.init(id: lastID, enqueued: now, deadline: limit.map { now + $0 } ?? .distantFuture)))
    }

    /// Confirms a Sync of `count` statements. By default the server owes nothing afterwards.
    @discardableResult
    mutating func confirm(
        _ id: Int, _ count: Int = 1, after heard: [PoolState.Heard] = [], isComplete: Bool = true,
        wasWarned: Bool = false, isBusy: Bool = false
    ) -> [Action] {
        hear(id, heard + [.synced(count: count, isComplete: isComplete, wasWarned: wasWarned)], isBusy: isBusy)
    }

    @discardableResult
    mutating func hear(_ id: Int, _ heard: [PoolState.Heard], isBusy: Bool = true, hasGrown: Bool = false) -> [Action] {
        tell(.heard(id, heard, isBusy: isBusy, hasGrown: hasGrown))
    }

    @discardableResult
    mutating func broke(_ id: Int, _ error: DatabaseError = .connectionLost, unsent: Int = 0) -> [Action] {
        tell(.broke(id, error, unsent: unsent))
    }

    /// Advances the clock.
    mutating func pass(_ duration: Duration) { now = now + duration }
}

extension DatabaseError {
    static func server(_ state: String, routine: String? = nil, position: String? = nil) -> DatabaseError {
        .server(
            .init(
                sqlState: state, message: "", constraint: nil, routine: routine,
                origin: .init(severity: "ERROR", position: position, context: nil)))
    }

    static let cancelled = server("57014")
    static let readOnly = server("25006")
    static let stalePlan = server("26000")
    static let missingTable = server("42P01", position: "1")
    static let duplicate = server("23505")
    static let shutdown = server("57P01")
}

extension [PoolState.Action] {
    var opening: [Int] { compactMap { if case .open(let id) = $0 { id } else { nil } } }
    var closed: [Int] { compactMap { if case .close(let id) = $0 { id } else { nil } } }
    var checked: [Int] { compactMap { if case .check(let id, _) = $0 { id } else { nil } } }
    var cancelled: [Int] { compactMap { if case .requestCancel(let id) = $0 { id } else { nil } } }
    var lent: [Int] { compactMap { if case .lend(let id, to: _) = $0 { id } else { nil } } }
    var refused: [DatabaseError] { compactMap { if case .refuse(_, let error) = $0 { error } else { nil } } }
    /// The statements of each batch.
    var batches: [[PoolState.Request.ID]] {
        compactMap { if case .send(let batch, on: _) = $0 { batch.requests.map(\.id) } else { nil } }
    }
    /// The connections that batches are sent on.
    var used: [Int] { compactMap { if case .send(_, on: let id) = $0 { id } else { nil } } }
    var answered: [PoolState.Request.ID] {
        flatMap { if case .answer(let requests) = $0 { requests.map(\.id) } else { [PoolState.Request.ID]() } }
    }
    var undone: [PoolState.Request.ID] { compactMap { if case .undo(let id) = $0 { id } else { nil } } }
    var failures: [PoolState.Request.ID: DatabaseError] {
        reduce(into: [:]) { if case .fail(let request, let error) = $1 { $0[request.id] = error } }
    }
    var reports: [PoolState.Report] { compactMap { if case .report(let report) = $0 { report } else { nil } } }
    var news: [PoolState.SiblingNews] { compactMap { if case .tellSiblings(let news) = $0 { news } else { nil } } }
    /// The latest time for which a timer was armed.
    func moment(of timer: PoolState.Timer) -> Instant? {
        last { if case .arm(timer, at: _) = $0 { true } else { false } }.flatMap {
            if case .arm(_, at: let moment) = $0 { moment } else { nil }
        }
    }
}
