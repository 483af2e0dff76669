import CPostgres
import DequeModule
import Glibc
import Platform
import Reactor

/// One open connection in pipeline mode on its loop: sends batches, and says what the server made of them. `PoolState` decides what that
/// means.
@safe final class Connection: ReadinessObserver {
    /// What the server still owes, in the order it was asked.
    enum Expected {
        case answer(PendingStatement)
        /// One answer for statements that run as one.
        case group([PendingStatement])
        case sync
    }

    /// Statements that run as one: bounds the search for each lookup's row.
    static let groupLimit = 64
    /// Parameters of one batch, or a row, that leave libpq with a large buffer for the rest of the connection's life.
    static let grownByteLimit = 65_536
    /// Smaller results are not counted one by one.
    private static let uncountedResultByteLimit = 16_384

    let id: Int
    let handle: Handle
    let readiness: Readiness
    // libpq closes its socket when it finds it broken; the loop watches a number that stays ours until the watch has ended.
    private let socket: FileDescriptor
    // Which keeps the connection until it is closed, and outlives it.
    private unowned let pool: LoopPool
    /// Whether the server sends every text as UTF-8; 0 is SQL_ASCII, in which it sends the bytes it has.
    let isUTF8: Bool
    /// Under TLS or GSS a library between holds bytes of which the socket knows nothing.
    private let isEncrypted: Bool
    /// By ordinal, whether a statement was prepared when the connection was opened.
    private let prepared: [Bool]
    var expected = Deque<Expected>()
    /// Statements that the server answered since the last confirmed Sync, and whether it skipped none.
    var answeredCount = 0
    var isComplete = true
    /// The bytes of the parameters of one statement while libpq copies them.
    var scratch: [UInt8] = []
    private let memory: MemoryBudget
    /// What is taken of it for this connection.
    private var reserved = 0
    /// Of that, what no result has been given.
    private var resultRoom = 0
    /// What libpq's buffers have grown to by the parameters of one batch, or by one row; 0 below what is worth a new
    /// connection.
    private var grownByteCount = 0

    /// - Throws: `DatabaseError.connectFailed` when the loop cannot watch the socket.
    init(_ id: Int, _ opened: Connector.Opened, of pool: LoopPool, memory: MemoryBudget) throws(DatabaseError) {
        self.id = id
        self.pool = pool
        self.memory = memory
        handle = opened.handle
        prepared = opened.prepared
        isUTF8 = unsafe PQclientEncoding(handle.pointer) != 0
        isEncrypted = unsafe PQsslInUse(handle.pointer) == 1 || PQgssEncInUse(handle.pointer) == 1
        do throws(SystemError) {
            let socket = try FileDescriptor(duplicating: unsafe PQsocket(handle.pointer))
            // libpq may stop reading before its socket would block, so the loop has to keep telling.
            readiness = try Readiness(socket.number, on: pool.loop, mode: .level)
            self.socket = socket
        } catch {
            throw .connectFailed("\(error)")
        }
        readiness.notify(self)
    }

    // What the loop says of its socket.

    func becameReadable() { pool.read(self) }
    func becameWritable() { pool.push(self) }
    func expired() { pool.expired(self) }

    /// Ends the watch, and forgets what is in flight.
    func close() {
        readiness.cancel()
        memory.release(reserved)
        (reserved, grownByteCount, resultRoom) = (0, 0, 0)
        expected.removeAll()
    }

    /// Whether the server owes anything.
    var isBusy: Bool { !expected.isEmpty }

    func isPrepared(_ statement: Statement) -> Bool {
        statement.ordinal < prepared.count && prepared[statement.ordinal]
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

    /// Has libpq pass on what the socket did not take at once, and the loop tell when it takes more.
    ///
    /// - Returns: false when the connection is broken.
    func flush() -> Bool {
        switch unsafe PQflush(handle.pointer) {
        case 0: return true
        case 1:
            readiness.requestWritable()
            return true
        default: return false
        }
    }

    /// Takes in what the socket has, and appends what the server said.
    func receive(into heard: inout [PoolState.Heard]) {
        guard unsafe PQconsumeInput(handle.pointer) == 1 else { return heard.append(.lost(.connectionLost)) }
        if let loss = collect(into: &heard) { return heard.append(.lost(loss)) }
        // A read may leave the rest of a record inside the library. Once the socket is empty, so many reads take in a record
        // of any size (16 KiB, in parts of 8 KiB at least).
        guard isEncrypted else { return }
        var readsToEmpty = 2
        while isBusy, readsToEmpty > 0 {
            readsToEmpty = peek() < 0 && errno == EAGAIN ? readsToEmpty - 1 : 2
            guard unsafe PQconsumeInput(handle.pointer) == 1 else { return heard.append(.lost(.connectionLost)) }
            if let loss = collect(into: &heard) { return heard.append(.lost(loss)) }
        }
    }

    /// What a read of the socket would return, without waiting and without taking anything out; below 0 with errno.
    private func peek() -> Int {
        var byte: UInt8 = 0
        // One byte, which outlives the call, and which stays in the socket.
        return unsafe recv(socket.number, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    }
}

// Memory.
extension Connection {
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

    /// Counts what a result takes until its last user lets go of it; false when there is no memory for that, and nothing was
    /// changed by the statement.
    func hold(_ execution: Execution, of statement: Statement) -> Bool {
        let bytes = execution.byteCount
        if bytes <= Self.uncountedResultByteLimit { return true }
        // libpq takes in a row as a whole. Of a buffer that doubles until it fits, what was never filled is no memory yet.
        if bytes > Self.grownByteLimit, execution.longestRowByteCount > Self.grownByteLimit {
            grownByteCount = max(grownByteCount, execution.longestRowByteCount)
        }
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
}
