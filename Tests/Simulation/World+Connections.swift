import HTTP1
import Platform
import Vial

// The part of `Vial.Connection`: reads, parses, answers and sends as the exchange decides.
extension World {
    /// Reports an event to the exchange, performs its action, and continues with the event that results.
    func feed(_ client: Client, _ first: Exchange.Event) {
        if failure != nil { return }
        var next: Exchange.Event? = first
        // Buffered input is parsed again after every event.
        if client.used < client.input.count { client.hasNews = true }
        while let event = next ?? eventAtRest(client) {
            let action = client.exchange.handle(event, at: now.instant, drain: phase, times)
            follow(event, action, client)
            note("  client \(client.index): \(event) → \(action), \(client.exchange.state)")
            next = lacksMemory(for: event, client) ? .outOfMemory(.request) : perform(action, client)
            if failure != nil { return }
        }
        if client.socket.isOpen {
            client.timer.arm(at: client.exchange.deadline.nanoseconds, lastLook: lastLook)
        }
    }

    /// Records what the checks need.
    private func follow(_ event: Exchange.Event, _ action: Exchange.Action, _ client: Client) {
        switch event {
        case .partOfHead: if !client.hasHeadBegun { (client.hasHeadBegun, client.headBegan) = (true, now) }
        case .head(let head):
            client.hasHeadBegun = false
            client.droppedOfBody = 0
            if head.expectsContinue, !head.hasMoreInput, action == .read {
                fail(.status, "client \(client.index) waits to be told to go on with its body")
            }
            if head.isDecided, action == .read, case .length(Limits.droppedBodyByteLimit.advanced(by: 1)...) = head.body
            {
                fail(.bounds, "client \(client.index): a body of more than may be dropped is read")
            }
        case .partOfBody, .bodyEnded:
            if client.droppedOfBody > Limits.droppedBodyByteLimit {
                fail(.bounds, "client \(client.index): \(client.droppedOfBody) bytes of a body were dropped")
            }
        case .displaced: client.isDisplaced = true
        case .appended: client.idleSince = now
        default: break
        }
        if case .refuse(.headTimedOut, _) = action { checkLastLook(client) }
        if case .refuse(.bodyTimedOut, _) = action { checkLastLook(client) }
    }

    private func checkLastLook(_ client: Client) {
        if client.socket.unread > 0 {
            fail(.early, "client \(client.index) counts as late, with \(client.socket.unread) bytes unread")
        }
    }

    /// The event to report when the last action led to none.
    private func eventAtRest(_ client: Client) -> Exchange.Event? {
        if client.isLooking {
            client.isLooking = false
            return .looked
        }
        if client.exchange.isReading, client.socket.mayRead || client.hasNews, let event = read(client) { return event }
        if client.used < client.input.count, !client.exchange.discardsInput, isMemoryShort {
            // Reported once: the input is discarded, or the request is refused.
            return .outOfMemory(.input)
        }
        return nil
    }

    var isMemoryShort: Bool {
        guard life.memoryShortage > 0, dice.percent(life.memoryShortage) else { return false }
        see(.noMemory)
        return true
    }

    /// Whether there is no memory for the request that is being read. Then the event's action is not performed.
    private func lacksMemory(for event: Exchange.Event, _ client: Client) -> Bool {
        switch event {
        case .head, .bodyEnded: isMemoryShort
        default: false
        }
    }

    private func perform(_ action: Exchange.Action, _ client: Client) -> Exchange.Event? {
        switch action {
        case .wait: return nil
        case .read: return read(client)
        case .lookAgain:
            client.socket.mayRead = true
            client.isLooking = true
            return read(client)
        case .yield, .dropLater:
            yielded.append(client.index)
            return nil
        case .sendContinue:
            client.answers.append(Client.Answer(isContinue: true, end: client.written + 25))
            client.written += 25
            return send(client)
        case .send: return send(client)
        case .answer: return answer(client)
        case .begin: return begin(client)
        case .refuse(let refusal, let admission): return refuse(client, refusal, admission)
        case .answerOverdue:
            see(.overdue)
            client.response = Client.Answer(request: client.current, status: 504, closes: true)
            return .answered(closes: true)
        case .append(let persists): return append(client, persists: persists)
        case .discardAnswer:
            see(.answerDiscarded)
            client.response = nil
            return nil
        case .linger:
            shut(client)
            return drop(client)
        case .drop: return drop(client)
        case .forgetInput:
            // Pipelined input is discarded, and the connection ends with the answer to the current request.
            client.hasLostInput = true
            client.forgetInput()
            return nil
        case .checkDelivery: return .deliveryChecked(isComplete: client.socket.unacknowledged == 0)
        case .finishWriting:
            shut(client)
            return nil
        case .close(let abandonsRequest):
            close(client, abandonsRequest: abandonsRequest)
            return nil
        case .cut:
            see(.drainCut)
            close(client, abandonsRequest: true)
            return nil
        }
    }

    private func refuse(
        _ client: Client, _ refusal: ServerEvent.Refusal, _ admission: Exchange.Admission
    ) -> Exchange.Event? {
        let request = admission == .unparsed ? nil : client.current
        if admission != .admitted { admit(client) }
        let status: Int
        switch refusal {
        case .malformed:
            see(.malformed)
            status = 400
        case .headTimedOut:
            see(.headTimedOut)
            status = 408
        case .bodyTimedOut:
            see(.bodyTimedOut)
            status = 408
        case .outOfMemory:
            status = 503
            client.forgetInput()
        }
        client.response = Client.Answer(request: request, status: status, closes: true)
        return .answered(closes: true)
    }

    /// Closes the sending side. Requests that the client has begun to send by now must have been answered.
    func shut(_ client: Client) {
        if !client.socket.isShut {
            client.begunBeforeShut = client.begun
            client.shutAt = now
        }
        client.socket.isShut = true
        wakeTaker(client)
    }

    private func close(_ client: Client, abandonsRequest: Bool) {
        checkClose(client, abandonsRequest: abandonsRequest)
        if phase >= .cutting { client.isCut = true }
        client.inFlight = false
        client.timer.cancel()
        shut(client)
        client.socket.isOpen = false
        noteClosed()
    }
}
