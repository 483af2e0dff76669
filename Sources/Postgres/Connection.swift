import CPostgres
import DequeModule
import Glibc
import Platform
import Reactor

/// An open connection in pipeline mode on its loop: sends batches and reports the server's answers. `PoolState` decides
/// about them.
@safe final class Connection: ReadinessObserver {
    /// Answers that the server still owes, in sending order.
    enum Expected {
        case answer(Statement, PoolState.Request.ID)
        /// One answer for merged executions of a statement.
        case group(Statement, [PoolState.Request.ID])
        case sync
    }

    /// Maximum of merged statements: bounds the search for each lookup's row.
    static let groupLimit = 64
    /// Above this size the parameters of a batch, or a row, leave libpq with a large buffer for the rest of the
    /// connection's life.
    static let grownByteLimit = 65_536
    /// Results smaller than this are not counted individually.
    private static let uncountedResultByteLimit = 16_384

    let id: Int
    let handle: Handle
    let readiness: Readiness
    // A duplicate of libpq's socket: libpq closes its own when the connection breaks, and its number could be reused
    // while the loop still watches it.
    private let socket: FileDescriptor
    // The pool retains the connection until it is closed, and outlives it.
    private unowned let pool: LoopPool
    /// Whether the server sends every text as UTF-8. With SQL_ASCII (encoding 0) it sends the stored bytes.
    let isUTF8: Bool
    /// Under TLS or GSS, the encryption library may hold data that the socket no longer reports.
    private let isEncrypted: Bool
    /// By ordinal: whether the statement was prepared when the connection was opened.
    private let prepared: [Bool]
    var expected = Deque<Expected>()
    /// Number of statements answered since the last confirmed Sync, and whether the server skipped none.
    var answeredCount = 0
    var isComplete = true
    /// The bytes of one statement's parameters while libpq copies them.
    var scratch: [UInt8] = []
    private let memory: MemoryBudget
    /// Bytes reserved in the budget for this connection.
    private var reserved = 0
    /// The part of it that is not assigned to a result yet.
    private var resultRoom = 0
    /// Size to which libpq's buffers have grown by the parameters of one batch, or by one row; 0 while too small to
    /// justify a new connection.
    private var grownByteCount = 0

    /// - Throws: `DatabaseError.connectFailed` if the loop cannot watch the socket.
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
            // Level-triggered, because libpq may stop reading before its socket would block.
            readiness = try Readiness(socket.number, on: pool.loop, mode: .level)
            self.socket = socket
        } catch {
            throw .connectFailed("\(error)")
        }
        readiness.notify(self)
    }

    // Events of the socket.

    func becameReadable() { pool.read(self) }
    func becameWritable() { pool.push(self) }
    func expired() { pool.expired(self) }

    /// Ends the watch and forgets what is in flight.
    func close() {
        readiness.cancel()
        memory.release(reserved)
        (reserved, grownByteCount, resultRoom) = (0, 0, 0)
        expected.removeAll()
    }

    /// Whether the server still has to answer something.
    var isBusy: Bool { !expected.isEmpty }

    func isPrepared(_ statement: Statement) -> Bool {
        statement.ordinal < prepared.count && prepared[statement.ordinal]
    }

    /// Whether the server has closed the connection. Call only while nothing is in flight: the server sends nothing
    /// else then.
    var isStale: Bool {
        let count = peek()
        if count < 0 { return errno != EAGAIN && errno != EINTR }
        // Under encryption, the library may receive data of its own, such as a session ticket.
        return count == 0 || !isEncrypted
    }

    /// Whether the server's last status says that a transaction is open, or no status has arrived since the last
    /// statement.
    var isInTransaction: Bool { unsafe PQtransactionStatus(handle.pointer) != PQTRANS_IDLE }

    /// Sends what libpq has buffered, and asks the loop to report when the socket takes more.
    ///
    /// - Returns: false if the connection is broken.
    func flush() -> Bool {
        switch unsafe PQflush(handle.pointer) {
        case 0: return true
        case 1:
            readiness.requestWritable()
            return true
        default: return false
        }
    }

    /// Reads from the socket, stores the results and appends the server's answers.
    func receive(into heard: inout [PoolState.Heard], _ statements: inout StatementTable) {
        guard unsafe PQconsumeInput(handle.pointer) == 1 else { return heard.append(.lost(.connectionLost)) }
        if let loss = collect(into: &heard, &statements) { return heard.append(.lost(loss)) }
        // A read may leave the rest of a TLS record inside the library. After the socket is empty, this number of reads
        // covers a record of any size (16 KiB, in parts of at least 8 KiB).
        guard isEncrypted else { return }
        var readsToEmpty = 2
        while isBusy, readsToEmpty > 0 {
            readsToEmpty = peek() < 0 && errno == EAGAIN ? readsToEmpty - 1 : 2
            guard unsafe PQconsumeInput(handle.pointer) == 1 else { return heard.append(.lost(.connectionLost)) }
            if let loss = collect(into: &heard, &statements) { return heard.append(.lost(loss)) }
        }
    }

    /// The result that a read of the socket would have, without blocking and without consuming data; below 0 with
    /// errno.
    private func peek() -> Int {
        var byte: UInt8 = 0
        // One byte, which outlives the call; MSG_PEEK leaves it in the socket.
        return unsafe recv(socket.number, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    }
}

// Memory.
extension Connection {
    /// Whether libpq keeps an oversized buffer.
    var hasGrown: Bool { grownByteCount > 0 }

    /// Reserves memory for the next batch; false if there is none.
    func reserve(_ size: BatchSize) -> Bool {
        let bytes = size.bytes
        guard memory.reserve(bytes, for: .statement) else { return false }
        reserved += bytes
        resultRoom = bytes - size.parameters * BatchSize.copiesOfParameters
        // Twice the size: libpq's buffer doubles until they fit.
        if size.parameters > Self.grownByteLimit { grownByteCount = max(grownByteCount, 2 * size.parameters) }
        return true
    }

    /// Nothing is in flight: returns all but what the buffers have grown to.
    func releaseMemory() {
        if scratch.capacity > Self.grownByteLimit { scratch = [] }
        resultRoom = 0
        if reserved > grownByteCount {
            memory.release(reserved - grownByteCount)
            reserved = grownByteCount
        }
    }

    /// Counts a result until its last user releases it; false if there is no memory for it and the statement changed
    /// nothing.
    func hold(_ execution: Execution, of statement: Statement) -> Bool {
        let bytes = execution.byteCount
        if bytes <= Self.uncountedResultByteLimit { return true }
        // libpq buffers a row as a whole. The part of its doubling buffer that was never written takes no memory yet.
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
            // The result of a write must be reported, and is no larger than the parameters were.
            memory.take(bytes)
            execution.reservation = MemoryReservation(takingOver: bytes, of: memory)
        }
        return true
    }
}
