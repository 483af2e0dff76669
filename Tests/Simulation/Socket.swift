/// The service's end of a client's TCP connection: the kernel's state, and what the loop has reported of it
/// (edge-triggered, as in `Reactor.Readiness`).
struct Socket {
    enum Attempt: Equatable {
        case done(Int)
        case wouldBlock
        case failed
    }

    /// Bytes received by the kernel; the first `taken` were read.
    var arrived: [UInt8] = []
    var taken = 0
    /// The client has ended its sending side.
    var hasEnd = false
    /// The client, or the network, has reset the connection.
    var isReset = false
    /// The free space in the kernel's send buffer.
    var room = 0
    /// Bytes sent and not yet read by the client.
    var unacknowledged = 0
    var isShut = false
    var isOpen = false

    /// Edges that the loop has not reported yet.
    var hasReadEdge = false
    var hasWriteEdge = false
    /// What the loop has reported.
    var mayRead = false
    var mayWrite = true
    var isHungUp = false

    var unread: Int { arrived.count - taken }
    /// Whether a read would not block.
    var isReadable: Bool { unread > 0 || hasEnd || isReset }
    var isReported: Bool { !hasReadEdge && !hasWriteEdge }

    mutating func reset(room: Int) {
        arrived.removeAll(keepingCapacity: true)
        taken = 0
        hasEnd = false
        isReset = false
        self.room = room
        unacknowledged = 0
        isShut = false
        isOpen = false
        hasReadEdge = false
        hasWriteEdge = false
        mayRead = false
        mayWrite = true
        isHungUp = false
    }

    /// How many bytes a read of at most `limit` bytes returns; 0 at the end of the stream.
    mutating func receive(atMost limit: Int) -> Attempt {
        if isReset { return .failed }
        let count = min(unread, limit)
        if count > 0 { return .done(count) }
        return hasEnd ? .done(0) : .wouldBlock
    }

    mutating func send(_ count: Int) -> Attempt {
        if isReset { return .failed }
        let taken = min(count, room)
        guard taken > 0 else { return .wouldBlock }
        room -= taken
        unacknowledged += taken
        return .done(taken)
    }

    mutating func readDrained() {
        if !isHungUp { mayRead = false }
    }
}
