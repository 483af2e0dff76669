import Platform
import Postgres
import Vial

// The invariants that hold while the loops are idle, and at the end.
extension World {
    /// How late a loop may act on a time limit, because turns take time.
    static let slack = 5 * Moment.millisecond
    /// How much longer than its handler a request may take (`Connection.responseGrace`).
    static let responseGrace = 500 * Moment.millisecond
    /// `Exchange.lingerLimit`.
    static let lingerTime = 1000 * Moment.millisecond
    /// `Cancellation.grace`.
    static let cancelGrace = 500 * Moment.millisecond

    func checkRest() {
        for client in clients[..<clientCount] where client.socket.isOpen { check(client) }
        for pool in pools { check(pool) }
        if phase >= .cutting, openConnections > 0 {
            fail(.drain, "\(openConnections) connections are open after the drain has cut them")
        }
    }

    var hasEnded: Bool {
        guard phase == .ended, openConnections == 0, queue.isEmpty else { return false }
        return pools.allSatisfy { $0.isClosed && $0.opening == 0 && $0.inbox.isEmpty }
    }

    func checkEnd() {
        for statement in statements.indices where !statements[statement].isAnswered {
            fail(.missing, "statement \(statement) was never answered")
        }
        for call in calls.indices where !calls[call].isOver { fail(.missing, "call \(call) never ended") }
        if phase != .ended || openConnections > 0 { fail(.drain, "the service did not end, \(phase)") }
        for client in clients[..<clientCount] where client.hasConnected { checkEnd(of: client) }
    }
}
