/// The unanswered statements of a pool, by id. Ids are unique for the life of the pool: each consists of a place and
/// the number of its earlier uses.
struct StatementTable {
    private var places: [PendingStatement?] = []
    private var free: [Int] = []
    /// Number of statements inserted so far.
    private var total: UInt64 = 0

    /// Bits of an id for the place: enough for all statements in the queue and on all connections of a pool.
    private static let placeBits: UInt64 = 24

    var count: Int { places.count - free.count }

    /// Stores a statement and assigns its id.
    @inline(__always)
    mutating func insert(_ statement: PendingStatement) {
        total += 1
        if let place = free.popLast() {
            statement.id = total << Self.placeBits | UInt64(place)
            places[place] = statement
        } else {
            statement.id = total << Self.placeBits | UInt64(places.count)
            places.append(statement)
            precondition(places.count < 1 << Self.placeBits, "\(places.count) statements have no answer yet")
        }
    }

    subscript(id: PoolState.Request.ID) -> PendingStatement {
        guard let statement = places[Self.place(of: id)], statement.id == id else {
            fatalError("statement \(id) is unknown")
        }
        return statement
    }

    /// Removes a statement that is about to be answered.
    @inline(__always)
    mutating func remove(_ id: PoolState.Request.ID) -> PendingStatement {
        let place = Self.place(of: id)
        guard let statement = places[place].take(), statement.id == id else { fatalError("statement \(id) is unknown") }
        free.append(place)
        return statement
    }

    private static func place(of id: PoolState.Request.ID) -> Int { Int(id & (1 << placeBits - 1)) }
}
