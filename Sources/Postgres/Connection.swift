import CPostgres
import DequeModule
import Glibc
import Reactor

/// One open connection in pipeline mode on its loop: sends batches, collects answers until their Sync is confirmed.
final class Connection {
    /// What the server still owes, in the order it was asked.
    private enum Expected {
        case answer(PendingStatement)
        /// One answer for statements that run as one.
        case group([PendingStatement])
        case sync
    }

    /// What a turn of reading brought.
    struct Received {
        /// Statements whose Sync is confirmed; each has an outcome.
        var confirmed: [PendingStatement] = []
        /// Statements of a batch that another one of it, or its commit, made fail: they did not happen.
        var undone: [PendingStatement] = []
        /// Statements that did not happen because those that were prepared are no longer what they were, and the first
        /// error that said so.
        var stale: [PendingStatement] = []
        var staleness: DatabaseError?
        /// Why the connection serves nobody any more.
        var loss: DatabaseError?
    }

    /// Statements that run as one: bounds the search for each lookup's row.
    static let groupLimit = 64

    let identifier: Int
    let handle: Handle
    // libpq closes its socket when it finds it broken; the loop watches a number that stays ours until the watch has ended.
    private let socket: FileDescriptor
    let readiness: Readiness
    /// Lent to one transaction: it does not become idle between statements.
    var isLeased = false
    /// A task pushes what the socket did not take at once.
    var isDraining = false
    var cancellation = Cancellation()
    /// Not to be used again once it is idle, for this reason.
    var retirement: DatabaseError?
    private var expected = Deque<Expected>()
    /// Since the last confirmed Sync.
    private var answered: [PendingStatement] = []
    /// Whether the server sends every text as UTF-8; 0 is SQL_ASCII, in which it sends the bytes it has.
    private let isUTF8: Bool
    /// What the server said where a Sync was due: the commit failed, as of a deferred constraint.
    private var commitError: DatabaseError?
    /// Under TLS or GSS a library between holds bytes of which the socket knows nothing.
    private let isEncrypted: Bool
    /// Whether it takes one Sync at a time: pgbouncer 1.18 loses its place in what a client has sent ahead, when a statement
    /// fails before another Sync.
    let isPooled: Bool
    /// By ordinal, whether a statement was prepared when the connection was opened.
    private let prepared: [Bool]
    /// The bytes of the parameters of one statement while libpq copies them.
    private var scratch: [UInt8] = []
    /// How long the server lets a statement run.
    private let statementLimit: UInt64
    private let memory: MemoryBudget
    /// What is taken of it for this connection.
    private var reserved = 0
    /// Of that, what no result has been given.
    private var resultRoom = 0
    /// What libpq's buffers have grown to by the parameters of one batch, or by one row; 0 below what is worth a new
    /// connection.
    private var grownByteCount = 0

    /// Parameters of one batch, or a row, that leave libpq with a large buffer for the rest of the connection's life.
    private static let grownByteLimit = 65_536
    /// Smaller results are not counted one by one.
    private static let uncountedResultByteLimit = 16_384

    /// - Throws: `SystemError` when the loop cannot watch the socket.
    init(
        _ identifier: Int, _ handle: Handle, on loop: EventLoop, prepared: [Bool], isPooled: Bool,
        statementLimit: UInt64, memory: MemoryBudget
    ) throws(SystemError) {
        self.statementLimit = statementLimit
        self.memory = memory
        self.identifier = identifier
        self.handle = handle
        self.prepared = prepared
        self.isPooled = isPooled
        isUTF8 = unsafe PQclientEncoding(handle.pointer) != 0
        isEncrypted = unsafe PQsslInUse(handle.pointer) == 1 || PQgssEncInUse(handle.pointer) == 1
        let socket = try FileDescriptor(duplicating: unsafe PQsocket(handle.pointer))
        // libpq may stop reading before its socket would block, so the loop has to keep telling.
        readiness = try Readiness(socket.number, on: loop, mode: .level)
        self.socket = socket
    }

    var isBusy: Bool { !expected.isEmpty }

    /// Whether libpq keeps a buffer that is larger than a connection should have.
    var hasGrown: Bool { grownByteCount > 0 }

    /// Takes memory for the batch that is to be sent; false when there is none.
    func reserve(_ size: BatchSize) -> Bool {
        let bytes = size.bytes
        guard memory.reserve(bytes, for: .statement) else { return false }
        reserved += bytes
        resultRoom = bytes - size.parameters * BatchSize.copiesOfParameters
        // Twice: libpq's buffer doubles until they fit.
        if size.parameters > Self.grownByteLimit { grownByteCount = max(grownByteCount, 2 * size.parameters) }
        return true
    }

    /// Nothing is in flight: gives back all but what the buffers have grown to.
    func releaseMemory() {
        if scratch.capacity > Self.grownByteLimit { scratch = [] }
        resultRoom = 0
        if reserved > grownByteCount {
            memory.release(reserved - grownByteCount)
            reserved = grownByteCount
        }
    }

    /// libpq takes in a row as a whole. Of a buffer that doubles until it fits, what was never filled is no memory yet.
    private func noteRow(_ bytes: Int) {
        if bytes > Self.grownByteLimit { grownByteCount = max(grownByteCount, bytes) }
    }

    /// Counts what a result takes for as long as anybody has it; false when there is no memory for that, and nothing was
    /// changed by the statement.
    private func hold(_ execution: Execution, of statement: Statement) -> Bool {
        let bytes = execution.byteCount
        if bytes <= Self.uncountedResultByteLimit { return true }
        if bytes > Self.grownByteLimit { noteRow(execution.longestRowByteCount) }
        if bytes <= resultRoom {
            resultRoom -= bytes
            reserved -= bytes
            execution.reservation = MemoryReservation(takingOver: bytes, of: memory)
        } else if let reservation = MemoryReservation(bytes, for: .statement, of: memory) {
            execution.reservation = reservation
        } else if statement.kind == .read {
            return false
        } else {
            // What was written is told, and takes no more than it came with.
            memory.take(bytes)
            execution.reservation = MemoryReservation(takingOver: bytes, of: memory)
        }
        return true
    }

    /// Whether the server has ended it, of a connection on which nothing is in flight: such a server has nothing else to say.
    var isStale: Bool {
        let count = peek()
        if count < 0 { return errno != EAGAIN && errno != EINTR }
        // Encrypted, it may be the library's own, such as a session ticket.
        return count == 0 || !isEncrypted
    }

    /// Whether the server's last word was that a transaction is open, or it has not said its last word yet.
    var isInTransaction: Bool { unsafe PQtransactionStatus(handle.pointer) != PQTRANS_IDLE }

    /// The first moment at which an answer of what is in flight is too late, or a cancel request is.
    var deadline = UInt64.max

    /// Sends statements: neighbours that may share a transaction share one Sync, the others have their own. Reads do not
    /// share that of writes, whose commit may take its time.
    ///
    /// Sets `deadline` to the first one of theirs.
    ///
    /// - Returns: nil when libpq took all of them; else the connection is broken, and these were certainly not sent.
    func send(_ batch: [PendingStatement]) -> ArraySlice<PendingStatement>? {
        deadline = .max
        var position = 0
        while position < batch.count {
            let end = endOfGroup(from: position, in: batch)
            let isSent =
                if end - position == 1 {
                    send(batch[position])
                } else {
                    // Most often all of them.
                    send(group: end - position == batch.count ? batch : Array(batch[position..<end]))
                }
            guard isSent else { return batch[position...] }
            let last = batch[end - 1]
            for pending in batch[position..<end] { deadline = min(deadline, pending.deadline) }
            position = end
            if end == batch.count || last.isApart(from: batch[end]) {
                // Also sends what was gathered, as far as the socket takes it.
                guard unsafe PQpipelineSync(handle.pointer) == 1 else { return batch[end...] }
                expected.append(.sync)
            }
        }
        return nil
    }

    /// Where the statements end that may run as one with the one at `start`.
    private func endOfGroup(from start: Int, in batch: [PendingStatement]) -> Int {
        var end = start + 1
        guard batch[start].mayBeGrouped else { return end }
        while end < batch.count, end - start < Self.groupLimit, batch[end].statement === batch[start].statement,
            batch[end].mayBeGrouped
        {
            end += 1
        }
        return end
    }

    /// Whether libpq still holds bytes that the socket did not take; nil when the connection is broken.
    func flush() -> Bool? {
        switch unsafe PQflush(handle.pointer) {
        case 0: false
        case 1: true
        default: nil
        }
    }

    /// Takes in what the socket has.
    func receive() -> Received {
        var received = Received()
        guard unsafe PQconsumeInput(handle.pointer) == 1 else {
            received.loss = .connectionLost
            return received
        }
        collect(into: &received)
        // A read may leave the rest of a record inside the library. Once the socket is empty, so many reads take in a record
        // of any size (16 KiB, in parts of 8 KiB at least).
        guard isEncrypted else { return received }
        var readsToEmpty = 2
        while isBusy, received.loss == nil, readsToEmpty > 0 {
            readsToEmpty = peek() < 0 && errno == EAGAIN ? readsToEmpty - 1 : 2
            guard unsafe PQconsumeInput(handle.pointer) == 1 else {
                received.loss = .connectionLost
                return received
            }
            collect(into: &received)
        }
        return received
    }

    /// What a read of the socket would return, without waiting and without taking anything out; below 0 with errno.
    private func peek() -> Int {
        var byte: UInt8 = 0
        // One byte, which outlives the call, and which stays in the socket.
        return unsafe recv(socket.number, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    }

    /// Everything that was sent and not confirmed, in order; for when the connection is given up.
    func abandon() -> [PendingStatement] {
        readiness.cancel()
        memory.release(reserved)
        (reserved, grownByteCount, resultRoom) = (0, 0, 0)
        let unanswered = inFlight
        expected.removeAll()
        answered.removeAll()
        return unanswered
    }

    /// Everything that was sent and not confirmed, in order.
    var inFlight: [PendingStatement] {
        var pending = answered
        for next in expected {
            switch next {
            case .answer(let one): pending.append(one)
            case .group(let group): pending += group
            case .sync: break
            }
        }
        return pending
    }

    private func collect(into received: inout Received) {
        var endedStatement = false
        while let next = expected.first, unsafe PQisBusy(handle.pointer) == 0 {
            guard let result = unsafe PQgetResult(handle.pointer) else {
                // The end of one statement's results; said twice, libpq and this list disagree, or the connection broke.
                guard !endedStatement else {
                    received.loss = .connectionLost
                    return
                }
                endedStatement = true
                continue
            }
            endedStatement = false
            do throws(DatabaseError) {
                switch next {
                case .sync:
                    guard unsafe try isSync(result) else { continue }
                    try confirm(into: &received)
                case .answer(let pending):
                    let outcome = unsafe try outcome(of: result, to: pending)
                    if let loss = outcome?.loss { received.loss = loss }
                    if case .success(let execution)? = outcome, !hold(execution, of: pending.statement) {
                        letGo(of: [pending], into: &received)
                    } else {
                        pending.outcome = outcome?.map { Rows($0) }
                        answered.append(pending)
                    }
                case .group(let group):
                    let outcome = unsafe try outcome(of: result, to: group[0])
                    if let loss = outcome?.loss { received.loss = loss }
                    if case .success(let execution)? = outcome, !hold(execution, of: group[0].statement) {
                        letGo(of: group, into: &received)
                    } else {
                        if let outcome { try Self.share(outcome, among: group) }
                        if answered.isEmpty { answered = group } else { answered += group }
                    }
                }
            } catch {
                received.loss = error
                return
            }
            expected.removeFirst()
            if received.loss == .connectionLost { return }
        }
    }

    /// Whether the server confirmed a Sync; else its commit failed, and the confirmation follows.
    ///
    /// - Throws: the error that ends the connection, or `DatabaseError.unexpectedResult` when that is no answer to a Sync.
    private func isSync(_ result: OpaquePointer) throws(DatabaseError) -> Bool {
        defer { unsafe PQclear(result) }
        switch unsafe PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC: return true
        case PGRES_FATAL_ERROR:
            let error = unsafe Handle.error(in: result)
            if error.retiresConnection { throw error }
            noteCancellation(error, of: answered.first)
            commitError = error
            return false
        case let status: throw .unexpectedResult("status \(status.rawValue) where a Sync was due")
        }
    }

    /// Reads for whose results there was no memory run again by themselves, when there is some; one that did so already
    /// fails.
    private func letGo(of reads: [PendingStatement], into received: inout Received) {
        for pending in reads {
            if pending.isAlone {
                pending.outcome = .failure(.outOfMemory)
                answered.append(pending)
            } else {
                received.undone.append(pending)
            }
        }
    }

    /// What the server said to one statement; nil when it passed it over, after another's failure.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` when that is no answer to a statement.
    private func outcome(
        of result: OpaquePointer, to pending: PendingStatement
    ) throws(DatabaseError) -> Result<Execution, DatabaseError>? {
        // Cleared here, or by the execution that takes it over.
        let status = unsafe PQresultStatus(result)
        if status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK {
            return .success(unsafe Execution(owning: result, isUTF8: isUTF8))
        }
        defer { unsafe PQclear(result) }
        switch status {
        case PGRES_PIPELINE_ABORTED: return nil
        case PGRES_FATAL_ERROR:
            let error = unsafe Handle.error(in: result)
            noteCancellation(error, of: pending)
            return .failure(error)
        default: throw .unexpectedResult("status \(status.rawValue)")
        }
    }

    private func noteCancellation(_ error: DatabaseError, of pending: PendingStatement?) {
        guard error.isCancellation else { return }
        // The loop's own clock may stand at a moment before the answer came.
        let now = EventLoop.monotonicNanoseconds()
        cancellation.struck(sent: pending?.sent ?? 0, ownLimit: statementLimit, now: now)
    }

    /// Gives each of the statements that ran as one its row.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` for inserts that returned another number of rows than they are: they may
    ///   not run again.
    private static func share(
        _ outcome: Result<Execution, DatabaseError>, among group: [PendingStatement]
    ) throws(DatabaseError) {
        let isInsert = group[0].statement.kind == .insert
        switch outcome {
        case .failure(let error):
            for pending in group { pending.outcome = .failure(error) }
        case .success(let execution) where isInsert:
            guard execution.count == group.count else {
                throw .unexpectedResult("\(execution.count) rows of \(group.count) inserts")
            }
            for index in group.indices { group[index].outcome = .success(Rows(execution, at: index)) }
        case .success(let execution):
            do throws(DatabaseError) {
                var found: [Int64] = []
                found.reserveCapacity(execution.count)
                for row in 0..<execution.count { found.append(try Rows(execution)[row].int64(0)) }
                // In whatever order they come; an index brings them in that of the keys.
                for pending in group {
                    pending.outcome = .success(Rows(execution, at: found.firstIndex(of: pending.key)))
                }
            } catch {
                for pending in group { pending.outcome = .failure(error) }
            }
        }
    }

    /// The Sync of everything in `answered`: confirmed together, or undone together by the one that failed.
    private func confirm(into received: inout Received) throws(DatabaseError) {
        let failed =
            commitError != nil
            || answered.contains { pending in
                if case .success? = pending.outcome { false } else { true }
            }
        let isDoubtful = handle.endedReplicationWait || cancellation.mayMeetCommit
        if failed || isDoubtful {
            try judge(isDoubtful: isDoubtful, into: &received)
        } else if received.confirmed.isEmpty {
            swap(&received.confirmed, &answered)
        } else {
            received.confirmed += answered
        }
        answered.removeAll(keepingCapacity: true)
    }

    /// As `confirm`, of what did not simply succeed.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` when a statement has no outcome and nothing says why.
    private func judge(isDoubtful: Bool, into received: inout Received) throws(DatabaseError) {
        let cause = answered.first { pending in if case .failure? = pending.outcome { true } else { false } }
        var failure = commitError
        if case .failure(let error)? = cause?.outcome { failure = error }
        let isStale = failure.map { self.isStale($0, cause) } ?? false
        if let commitError, answered.count == 1 { answered[0].outcome = .failure(commitError) }
        commitError = nil
        handle.endedReplicationWait = false
        let end = TransactionEnd(
            failure: failure, isStale: isStale, count: answered.count, isDoubtful: isDoubtful,
            isComplete: answered.allSatisfy { $0.outcome != nil })
        switch end {
        case .decided: received.confirmed += answered
        case .unconfirmed:
            for pending in answered where pending.isWrite { pending.outcome = .failure(.unconfirmed) }
            received.confirmed += answered
        case .undone: received.undone += answered
        case .unknown: throw .unexpectedResult("a statement that was passed over, though none failed")
        case .stale(let error):
            received.stale += answered
            received.staleness = error
        }
    }

    /// Whether an error is the connection's, on which `pending` was prepared when other things were there.
    private func isStale(_ error: DatabaseError, _ pending: PendingStatement?) -> Bool {
        if error.isStalePlan { return true }
        guard error.isMissingObject, let statement = pending?.statement else { return false }
        return isPrepared(statement)
    }

    private func send(_ pending: PendingStatement) -> Bool {
        guard send(pending.statement, pending.arguments.parameters) else { return false }
        expected.append(.answer(pending))
        return true
    }

    /// Sends statements that differ in their parameters alone as one.
    private func send(group: [PendingStatement]) -> Bool {
        guard let statement = group[0].statement.many else { fatalError("\(group[0].statement.name) runs alone") }
        guard send(statement, Arguments.joined(group)) else { return false }
        expected.append(.group(group))
        return true
    }

    private func isPrepared(_ statement: Statement) -> Bool {
        statement.ordinal < prepared.count && prepared[statement.ordinal]
    }

    private func send(_ statement: Statement, _ parameters: [Parameter]) -> Bool {
        if isPrepared(statement) {
            unsafe sendParameters(parameters) { count, values, lengths, formats in
                unsafe PQsendQueryPrepared(handle.pointer, statement.name, count, values, lengths, formats, 1)
            }
        } else {
            unsafe sendParameters(parameters) { count, values, lengths, formats in
                unsafe PQsendQueryParams(handle.pointer, statement.sql, count, nil, values, lengths, formats, 1)
            }
        }
    }

    /// Lends libpq the parameters' bytes for one call, which copies them.
    private func sendParameters(
        _ parameters: [Parameter],
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>) -> Int32
    ) -> Bool {
        scratch.removeAll(keepingCapacity: true)
        let count = parameters.count
        // One slot at least: an empty allocation has no address to pass.
        let capacity = max(count, 1)
        return unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * capacity) { numbers in
            let lengths = numbers.baseAddress!
            let formats = unsafe lengths + capacity
            for index in parameters.indices {
                let start = scratch.count
                parameters[index].append(to: &scratch)
                let length = parameters[index].isNull ? -1 : Int32(scratch.count - start)
                unsafe (lengths + index).initialize(to: length)
                unsafe (formats + index).initialize(to: 1)
            }
            // An empty text needs an address too: NULL would mean null.
            scratch.append(0)
            return unsafe scratch.withUnsafeBytes { bytes in
                unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: capacity) { values in
                    var offset = 0
                    for index in 0..<count {
                        let length = unsafe Int(lengths[index])
                        let start = unsafe bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: CChar.self)
                        unsafe (values.baseAddress! + index).initialize(to: length < 0 ? nil : start)
                        offset += max(length, 0)
                    }
                    return unsafe body(Int32(count), values.baseAddress!, lengths, formats) == 1
                }
            }
        }
    }
}

extension Result where Failure == DatabaseError {
    /// The error, when it means that the connection serves nobody any more.
    fileprivate var loss: DatabaseError? {
        if case .failure(let error) = self, error.retiresConnection { error } else { nil }
    }
}
