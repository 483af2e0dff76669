/// The statements of a pool that have no answer yet, by number. Each has a number of its own for the life of the pool: its place, and
/// how often that was taken before.
struct StatementTable {
    private var places: [PendingStatement?] = []
    private var free: [Int] = []
    /// How many were inserted so far.
    private var total: UInt64 = 0

    /// The bits of a number that are its place: more statements than the queue and all connections of a pool have.
    private static let placeBits: UInt64 = 24

    var count: Int { places.count - free.count }

    /// Keeps a statement, and numbers it.
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

    /// Takes out a statement that is answered now.
    @inline(__always)
    mutating func remove(_ id: PoolState.Request.ID) -> PendingStatement {
        let place = Self.place(of: id)
        guard let statement = places[place].take(), statement.id == id else { fatalError("statement \(id) is unknown") }
        free.append(place)
        return statement
    }

    private static func place(of id: PoolState.Request.ID) -> Int { Int(id & (1 << placeBits - 1)) }
}
