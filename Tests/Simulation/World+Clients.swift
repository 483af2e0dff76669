// What clients do after they connect: send requests, read answers, leave.
extension World {
    func clientActs(_ client: Client) {
        if client.isGone || client.hasFinished { return }
        guard client.hasConnected else { return connect(client) }
        guard client.socket.isOpen || client.isQueued, !client.isTold else { return finish(client) }
        while client.next < client.plan.count {
            let number = client.plan.first + client.next
            let request = life.requests[number]
            if client.sentBytes == 0 {
                if !request.isPipelined && client.answered < client.begun {
                    client.isWaitingForAnswers = true
                    return
                }
                prepare(client, request, number)
            }
            if request.expectsContinue && client.sentBytes == client.headEnd && client.bytes.count > client.headEnd
                && !client.isWaitingForContinue
            {
                client.isWaitingForContinue = true
                // Without a 100 (Continue) the client sends the body after a while (RFC 9110 §10.1.1).
                return queue.schedule(.clientActs(client.index), at: now + 40 * .millisecond)
            }
            sendPiece(client, request)
            guard client.sentBytes == client.bytes.count else {
                return queue.schedule(.clientActs(client.index), at: now + request.piecePause)
            }
            if request.body.isCut {
                if client.plan.farewell == .halfCloses { finishSending(client) }
                client.isWaitingForAnswers = true
                return
            }
            client.next += 1
            client.sentBytes = 0
            client.isWaitingForContinue = false
            if client.next < client.plan.count, life.requests[number + 1].pause > 0 {
                return queue.schedule(.clientActs(client.index), at: now + life.requests[number + 1].pause)
            }
        }
        farewell(client)
    }

    private func prepare(_ client: Client, _ request: Life.Request, _ number: Int) {
        client.bytes.removeAll(keepingCapacity: true)
        client.headEnd = RequestBytes.append(request, number: number, to: &client.bytes)
        client.pieceSize = max(1, (client.bytes.count + request.pieces - 1) / request.pieces)
        if request.pieces > 1 { see(.splitRequest) }
        if request.isPipelined && client.answered < client.begun { see(.pipelined) }
        if request.expectsContinue { see(.expectedContinue) }
        client.begun += 1
        requestCount += 1
    }

    private func sendPiece(_ client: Client, _ request: Life.Request) {
        var end = min(client.bytes.count, client.sentBytes + client.pieceSize)
        // The head of a request that expects 100 (Continue) is sent by itself.
        if request.expectsContinue, client.sentBytes < client.headEnd { end = min(end, client.headEnd) }
        note(
            "client \(client.index) sends \(end - client.sentBytes) bytes of request \(client.plan.first + client.next)"
        )
        if client.socket.isReset { return }
        client.socket.arrived.append(contentsOf: client.bytes[client.sentBytes..<end])
        client.sentBytes = end
        client.socket.hasReadEdge = true
    }

    private func farewell(_ client: Client) {
        switch client.plan.farewell {
        case .closes:
            client.isWaitingForAnswers = client.answered < client.begun
            if !client.isWaitingForAnswers { finish(client) }
        case .halfCloses:
            finishSending(client)
        case .stays, .resets, .leaves: break
        }
    }

    private func finishSending(_ client: Client) {
        if client.socket.hasEnd { return }
        see(.halfClosed)
        note("client \(client.index) finishes sending")
        client.socket.hasEnd = true
        client.socket.hasReadEdge = true
    }

    /// The client closes, because it has all its answers or the connection ends.
    private func finish(_ client: Client) {
        if client.hasFinished { return }
        client.hasFinished = true
        // Some clients never close.
        if client.plan.farewell == .stays && client.socket.isOpen { return }
        note("client \(client.index) closes")
        client.socket.hasEnd = true
        client.socket.hasReadEdge = true
    }

    /// The client closes or resets its connection without waiting for answers.
    func clientEnds(_ client: Client) {
        guard client.hasConnected, !client.hasFinished, !client.isGone else { return }
        client.isGone = true
        if client.plan.farewell == .resets {
            see(.clientReset)
            note("client \(client.index) resets its connection")
            client.socket.isReset = true
        } else {
            see(.clientLeft)
            note("client \(client.index) leaves")
            // The kernel responds to unread answers with a reset.
            client.socket.isReset = client.socket.unacknowledged > 0
            client.socket.hasEnd = true
        }
        client.socket.hasReadEdge = true
        client.socket.hasWriteEdge = true
    }

    // MARK: taking answers

    func wakeTaker(_ client: Client) {
        if client.isTakeScheduled { return }
        client.isTakeScheduled = true
        queue.schedule(.clientTakes(client.index), at: now + client.plan.readPause + client.plan.delay)
    }

    /// The client reads what has arrived.
    func clientTakes(_ client: Client) {
        client.isTakeScheduled = false
        if client.isGone { return }
        let count = client.sent - client.taken
        client.taken += count
        client.socket.unacknowledged -= count
        client.socket.room += count
        if count > 0 && !client.socket.mayWrite { client.socket.hasWriteEdge = true }
        while client.takenAnswers < client.answers.count, client.answers[client.takenAnswers].end <= client.taken {
            let answer = client.answers[client.takenAnswers]
            client.takenAnswers += 1
            takes(client, answer)
        }
        if !client.socket.isOpen && !client.isQueued || client.socket.isShut && client.taken == client.written {
            client.isTold = true
        }
        guard client.answered == client.begun || client.isTold else { return }
        if client.isWaitingForAnswers || client.isTold {
            client.isWaitingForAnswers = false
            queue.schedule(.clientActs(client.index), at: now + pauseBeforeNext(client))
        }
    }

    private func pauseBeforeNext(_ client: Client) -> Moment {
        if client.isTold { return 0 }
        return client.next < client.plan.count ? life.requests[client.plan.first + client.next].pause : 0
    }

    private func takes(_ client: Client, _ answer: Client.Answer) {
        if answer.isContinue {
            if client.isWaitingForContinue { queue.schedule(.clientActs(client.index), at: now) }
            return
        }
        let expected = client.plan.first + client.answered
        guard client.answered < client.begun else {
            return fail(
                .answeredTwice, "client \(client.index) got an answer to \(describe(answer.request)) and waits for none"
            )
        }
        if let request = answer.request, request != expected {
            fail(.wrongAnswer, "client \(client.index) waits for the answer to \(expected), got that to \(request)")
        }
        note("client \(client.index) takes \(answer.status) to \(expected)")
        client.answered += 1
        check(answer, to: expected)
        if answer.closes { (client.isTold, client.hasLastAnswer) = (true, true) }
    }

    func describe(_ request: Int?) -> String {
        request.map { "\($0)" } ?? "what is no request"
    }
}
