import HTTP1
import Vial

// Reads what clients sent, and parses it with the service's parser.
extension World {
    /// `Worker.readByteLimit`.
    private static let readByteLimit = 65_536

    /// Parses buffered input, then what the socket has, up to the next event for the exchange.
    func read(_ client: Client) -> Exchange.Event? {
        while client.exchange.isReading {
            if let event = parse(client) { return event }
            guard client.socket.mayRead else { return nil }
            switch client.socket.receive(atMost: Self.readByteLimit) {
            case .failed: return .failed
            case .wouldBlock: client.socket.readDrained()
            case .done(0): return .ended
            case .done(let count):
                client.take(count)
                if count == Self.readByteLimit { return .readFilled }
                client.socket.readDrained()
            }
        }
        return nil
    }

    private func parse(_ client: Client) -> Exchange.Event? {
        guard client.hasNews else { return nil }
        // A message has at least one byte.
        guard client.used < client.input.count || client.reader.state != .idle else {
            client.hasNews = false
            return nil
        }
        let input = client.input
        let isDropped = client.exchange.state == .reading(.refusedBody)
        let room = isDropped ? client.exchange.droppableByteCount : input.count
        let step: RequestReader.Step
        do {
            step = try client.reader.read(
                input.span.extracting(client.used...).extracting(first: room), head: &client.head, body: &client.body)
        } catch {
            if error.isHeadComplete { client.findCurrent() }
            if error == .bodyTooLarge && !client.reader.expectsBody { return beginTooLarge(client) }
            client.hasNews = false
            return .malformed(error)
        }
        switch step {
        case .incomplete(let used):
            client.used += used
            if isDropped { client.droppedOfBody += used }
            // More of a body that is dropped may be buffered than is parsed at once.
            client.hasNews = used > 0 && client.used < client.input.count
            switch client.reader.state {
            case .idle: return .inputUsed
            case .head: return .partOfHead
            case .body, .chunks:
                client.body.removeAll(keepingCapacity: true)
                if isDropped { see(.refusedBodyDropped) }
                return !isDropped && isMemoryShort ? .outOfMemory(.request) : .partOfBody(byteCount: used)
            }
        case .head(let used):
            client.used += used
            client.findCurrent()
            admit(client)
            let isDecided = client.current.map { life.requests[$0].kind.isRefused } ?? false
            if isDecided { client.reader.dropBody(of: client.head) }
            return .head(
                Exchange.Head(
                    body: client.head.framing, isDecided: isDecided, keepsAlive: client.head.keepAlive,
                    expectsContinue: client.head.expectsContinue, hasMoreInput: client.used < client.input.count))
        case .complete(let used):
            client.used += used
            if isDropped { client.droppedOfBody += used }
            client.body.removeAll(keepingCapacity: true)
            return .bodyEnded
        }
    }

    /// The head declares a body above the limit.
    private func beginTooLarge(_ client: Client) -> Exchange.Event {
        see(.bodyTooLarge)
        client.used += client.head.bytes.count
        admit(client)
        client.isTooLarge = true
        client.reader.dropBody(of: client.head)
        return .head(
            Exchange.Head(
                body: client.head.framing, isDecided: true, keepsAlive: client.head.keepAlive,
                expectsContinue: client.head.expectsContinue, hasMoreInput: client.used < client.input.count))
    }

    /// Counts a request as in flight from now on.
    func admit(_ client: Client) {
        if client.hasClosingAnswer { fail(.order, "client \(client.index): a request is read behind the last answer") }
        if client.inFlight { fail(.order, "client \(client.index): a second request while one is in flight") }
        client.inFlight = true
        client.admitted = now
    }

    func drop(_ client: Client) -> Exchange.Event? {
        while client.socket.mayRead {
            switch client.socket.receive(atMost: Self.readByteLimit) {
            case .failed: return .failed
            case .wouldBlock: client.socket.readDrained()
            case .done(0): return .ended
            case .done(let count):
                client.socket.taken += count
                if count < Self.readByteLimit { client.socket.readDrained() }
                return .dropped(byteCount: count, filledBuffer: count == Self.readByteLimit)
            }
        }
        return nil
    }
}
