import Reactor

/// The unanswered statements of a pool, by id. An id consists of a place and the number of the statement, modulo 2^40: it
/// repeats only after so many statements, when its first one has long been answered.
struct StatementTable {
    /// A type of its own, because the compiler destroys a plain optional with calls of the runtime.
    private struct Place {
        var statement: PendingStatement?
    }

    private var places: [Place] = []
    private var free: [Int] = []
    /// Number of statements inserted so far.
    private var total: UInt64 = 0

    /// Bits of an id for the place: enough for all statements in the queue and on all connections of a pool.
    private static let placeBits: UInt64 = 24

    var count: Int { places.count - free.count }

    /// Stores a statement under a new id.
    @inline(__always)
    mutating func insert(
        _ statement: Statement, _ arguments: Arguments, for caller: any StatementCaller,
        _ reservation: MemoryReservation? = nil
    ) -> PoolState.Request.ID {
        total += 1
        let place = free.popLast() ?? addPlace()
        let id = total << Self.placeBits | UInt64(place)
        places[place].statement = PendingStatement(id, statement, arguments, for: caller, reservation)
        return id
    }

    private mutating func addPlace() -> Int {
        places.append(Place())
        precondition(places.count < 1 << Self.placeBits, "\(places.count) statements have no answer yet")
        return places.count - 1
    }

    /// Whether the statement is not answered yet.
    func contains(_ id: PoolState.Request.ID) -> Bool { places[Self.place(of: id)].statement?.id == id }

    @inline(__always)
    subscript(id: PoolState.Request.ID) -> PendingStatement {
        guard let statement = places[Self.place(of: id)].statement, statement.id == id else {
            fatalError("statement \(id) is unknown")
        }
        return statement
    }

    /// Stores the server's result. Does nothing if the statement was answered before, because its deadline passed.
    @inline(__always)
    mutating func store(_ result: Rows, for id: PoolState.Request.ID) {
        if contains(id) { places[Self.place(of: id)].statement?.result = result }
    }

    /// Discards the server's result.
    mutating func discardResult(of id: PoolState.Request.ID) {
        guard contains(id) else { fatalError("statement \(id) is unknown") }
        places[Self.place(of: id)].statement?.result = nil
    }

    /// Removes a statement that is about to be answered.
    @inline(__always)
    mutating func remove(_ id: PoolState.Request.ID) -> PendingStatement {
        let place = Self.place(of: id)
        guard let statement = places[place].statement.take(), statement.id == id else {
            fatalError("statement \(id) is unknown")
        }
        free.append(place)
        return statement
    }

    private static func place(of id: PoolState.Request.ID) -> Int { Int(id & (1 << placeBits - 1)) }
}
