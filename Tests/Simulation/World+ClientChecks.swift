import HTTP1
import Platform
import Postgres
import Vial

// The invariants of clients and their connections.
extension World {
    /// Checks an answer that a client received.
    func check(_ answer: Client.Answer, to number: Int) {
        let request = life.requests[number]
        if let call = answer.call, answer.status < 300, request.kind == .create {
            let effect = statements[calls[call].effect]
            if effect.commits != 1 {
                fail(
                    .lostWrite,
                    "request \(number) is answered \(answer.status), and was committed \(effect.commits) times")
            }
        }
        let isRight =
            switch answer.status {
            case 400: request.kind == .malformed || request.body == .badChunk || answer.request == nil
            case 404: request.kind == .unknown
            case 405: request.kind == .refused
            case 408: request.pieces > 1 || request.body.isCut || request.expectsContinue || answer.request == nil
            case 413: request.body == .tooLarge
            default: true
            }
        if !isRight { fail(.status, "request \(number), a \(request.kind), is answered \(answer.status)") }
    }

    /// Checks that the service may close a connection now.
    func checkClose(_ client: Client, abandonsRequest: Bool) {
        let socket = client.socket
        if client.isGone || client.hasLostInput || socket.isReset || phase >= .cutting { return }
        // The client did not read its answers in time, or there was no memory for them.
        if client.sent < client.written { return see(.writeTimedOut) }
        if client.hasClosingAnswer {
            // The kernel would respond to unread bytes with a reset, which may overtake the answer.
            if socket.unread > 0, client.taken < client.written, now < client.shutAt + Self.lingerTime {
                fail(
                    .dropped,
                    "client \(client.index): closed with the last answer untaken and \(socket.unread) bytes unread")
            }
            return
        }
        if client.inFlight && !socket.hasEnd {
            return fail(
                .dropped, "client \(client.index): the request \(describe(client.current)) is closed without an answer")
        }
        if socket.unread > 0 {
            return fail(
                .dropped, "client \(client.index): closed with \(socket.unread) bytes unread and no last answer")
        }
        if socket.hasEnd { return }
        if client.reader.state != .idle {
            return fail(.dropped, "client \(client.index): closed within a request, without an answer")
        }
        see(.idleClosed)
        if phase == .serving, !client.isDisplaced, now + Self.slack < client.idleSince + life.keepAliveTimeout {
            fail(.early, "client \(client.index) is closed \(now - client.idleSince) ns after its last answer")
        }
    }

    /// Checks a client while the loops are idle.
    func check(_ client: Client) {
        checkTimes(client)
        let exchange = client.exchange
        if exchange.isInFlight != client.inFlight {
            fail(.order, "client \(client.index): the exchange counts \(exchange.isInFlight) in flight")
        }
        if client.sent < client.written, client.socket.mayWrite {
            fail(.missing, "client \(client.index): \(client.written - client.sent) bytes of answers are held back")
        }
        if exchange.isReading, client.socket.mayRead || client.used < client.input.count && client.hasNews {
            fail(.missing, "client \(client.index): bytes are left unread, \(exchange.state)")
        }
        let hasEnded = client.socket.hasEnd && client.socket.unread == 0 && client.socket.isReported
        if hasEnded, exchange.isReading || exchange.state == .lingering {
            fail(.late, "client \(client.index) has finished, and its connection stays, \(exchange.state)")
        }
        if phase == .closing, exchange.idleDeadline != nil, !client.answers.isEmpty {
            fail(.drain, "client \(client.index) is idle while the service closes")
        }
    }

    private func checkTimes(_ client: Client) {
        let deadline = client.exchange.deadline.nanoseconds
        if deadline == .max || deadline + Self.slack < now {
            fail(.noTimer, "client \(client.index) waits without a limit, \(client.exchange.state)")
        }
        let patience = Self.slack + pausedTime
        switch client.exchange.state {
        case .reading(.head):
            if now > client.headBegan + life.headerTimeout + patience {
                fail(.late, "client \(client.index) has sent a head for too long")
            }
        case .reading(.body), .reading(.refusedBody):
            if now > client.admitted + life.bodyTimeout + patience {
                fail(.late, "client \(client.index) has sent a body for too long")
            }
        case .awaiting:
            if client.awaited != client.current {
                client.awaited = client.current
                client.awaitingBegan = now
            }
            if now > client.awaitingBegan + life.requestTimeout + Self.responseGrace + patience {
                fail(.missing, "client \(client.index) has no answer to \(describe(client.current)) in time")
            }
        case .reading(.idle), .answering, .sending, .blocked, .yielding, .lingering, .delivering, .closed: break
        }
    }

    /// Checks at the end that every request of which the client sent something before the service closed its side was answered.
    func checkEnd(of client: Client) {
        // Exempt: cut by the drain, client gone, no memory, or a client that did not read its answers.
        if client.isGone || client.isCut || client.hasLostInput || client.socket.isReset { return }
        guard client.sent == client.written, client.answered < client.begunBeforeShut else { return }
        if client.hasLastAnswer { return }
        let request = life.requests[client.plan.first + client.answered]
        // The client ended its side within a body, so the request is incomplete.
        if request.body.isCut, client.plan.farewell == .halfCloses, !request.kind.isRefused, request.body != .tooLarge {
            return
        }
        fail(.missing, "client \(client.index) never got an answer to \(client.plan.first + client.answered)")
    }
}
