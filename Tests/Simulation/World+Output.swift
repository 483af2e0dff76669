import HTTP1
import Vial

// Answers requests and sends the answers.
extension World {
    func answer(_ client: Client) -> Exchange.Event? {
        guard let number = client.current else { fatalError("a request without a number is answered by a handler") }
        let request = life.requests[number]
        if client.reader.expectsBody { see(.refusedBodyTooLong) }
        if client.isTooLarge {
            client.isTooLarge = false
            client.response = Client.Answer(request: number, status: 413, size: 200)
            return .answered(closes: false)
        }
        switch request.kind {
        case .root: client.response = Client.Answer(request: number, status: 200, size: 120)
        case .unknown: client.response = Client.Answer(request: number, status: 404, size: 200)
        case .refused: client.response = Client.Answer(request: number, status: 405, size: 200)
        case .malformed: fatalError("what is not HTTP is answered by a handler")
        case .find, .list, .create, .update, .transaction, .task: return .deferred
        }
        return .answered(closes: false)
    }

    func begin(_ client: Client) -> Exchange.Event? {
        guard let number = client.current else { fatalError("a request without a number was begun") }
        client.isCalling = true
        call(client, number)
        client.isCalling = false
        return client.response == nil ? .begun : .answered(closes: false)
    }

    /// A handler returned its response.
    func respond(_ client: Client, connection: Int, _ answer: Client.Answer) {
        // The response belongs to that connection, which may be closed.
        guard client.connection == connection, client.socket.isOpen else { return see(.answerDiscarded) }
        client.response = answer
        if client.isCalling { return }
        feed(client, .answered(closes: false))
    }

    func append(_ client: Client, persists: Bool) -> Exchange.Event? {
        guard var response = client.response else { fatalError("there is no response to append") }
        client.response = nil
        if !client.inFlight {
            fail(.answeredTwice, "client \(client.index): a second answer, to \(describe(response.request))")
        }
        client.inFlight = false
        if client.hasClosingAnswer { fail(.order, "client \(client.index): an answer behind the last one") }
        if persists && (phase != .serving || response.request.map({ life.requests[$0].isLast }) ?? true) {
            fail(
                .order, "client \(client.index): the answer to \(describe(response.request)) lets the connection go on")
        }
        response.closes = !persists
        client.hasClosingAnswer = !persists
        client.written += response.size
        response.end = client.written
        client.answers.append(response)
        let hasMore = client.used < client.input.count
        client.hasNews = hasMore
        return .appended(outputByteCount: client.written - client.outputStart, hasMoreInput: hasMore)
    }

    func send(_ client: Client) -> Exchange.Event? {
        while client.sent < client.written {
            switch client.socket.send(client.written - client.sent) {
            case .done(let count):
                client.sent += count
                wakeTaker(client)
            case .wouldBlock:
                client.socket.mayWrite = false
                see(.slowReader)
                return isMemoryShort ? .outOfMemory(.output) : .sendBlocked
            case .failed: return .failed
            }
        }
        client.outputStart = client.written
        return .sent
    }
}
