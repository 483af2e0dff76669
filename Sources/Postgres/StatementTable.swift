/// The statements of a pool that have no answer yet, by number. Each has a number of its own for the life of the pool: its place, and
/// how often that was taken before.
struct StatementTable {
    private var places: [(statement: PendingStatement?, turn: UInt32)] = []
    private var free: [UInt32] = []

    private(set) var count = 0

    /// Keeps a statement, and numbers it.
    mutating func insert(_ statement: PendingStatement) {
        count += 1
        if let place = free.popLast() {
            places[Int(place)].statement = statement
            statement.id = UInt64(places[Int(place)].turn) << 32 | UInt64(place)
        } else {
            statement.id = UInt64(places.count)
            places.append((statement, 0))
        }
    }

    subscript(id: PoolState.Request.ID) -> PendingStatement {
        guard let statement = places[Self.place(of: id)].statement, statement.id == id else {
            fatalError("statement \(id) is unknown")
        }
        return statement
    }

    /// Takes out a statement that is answered now.
    mutating func remove(_ id: PoolState.Request.ID) -> PendingStatement {
        let statement = self[id]
        let place = Self.place(of: id)
        places[place].statement = nil
        places[place].turn &+= 1
        free.append(UInt32(truncatingIfNeeded: place))
        count -= 1
        return statement
    }

    private static func place(of id: PoolState.Request.ID) -> Int { Int(id & 0xFFFF_FFFF) }
}
