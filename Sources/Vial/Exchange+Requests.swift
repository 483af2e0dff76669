import HTTP1
import Platform

// Events that read requests, answer them and send the responses.
extension Exchange {
    // MARK: Reading

    mutating func readHead(at now: Instant, _ times: Times) -> Action {
        switch state {
        case .reading(.idle): limit = now.advanced(byNanoseconds: times.head)
        case .reading(.head): break
        default: unexpected("part of a head")
        }
        return flush(.head)
    }

    @inline(__always)
    mutating func begin(_ head: Head, at now: Instant, _ drain: Drain.Phase, _ times: Times) -> Action {
        guard state == .reading(.idle) || state == .reading(.head) else { unexpected("a head") }
        endsWithAnswer = !head.keepsAlive
        switch head.body {
        case .none, .length(0): return answer()
        case .length, .chunked: return beginBody(of: head, at: now, drain, times)
        }
    }

    private mutating func beginBody(
        of head: Head, at now: Instant, _ drain: Drain.Phase, _ times: Times
    ) -> Action {
        if head.isDecided {
            let fits = if case .length(let count) = head.body { count <= Limits.droppedBodyByteLimit } else { true }
            // After any other response a client that expects 100 Continue sends no body at all.
            guard head.keepsAlive && drain.keepsConnections && fits && !head.expectsContinue else {
                return answerAndEnd()
            }
            droppedByteCount = 0
        }
        limit = now.advanced(byNanoseconds: times.body)
        let stage = head.isDecided ? Stage.refusedBody : .body
        // A client that has already sent part of the body does not wait for 100 Continue (RFC 9110 §10.1.1).
        if head.expectsContinue && !head.hasMoreInput {
            become(.sending(stage, then: .read))
            return .sendContinue
        }
        become(.reading(stage))
        return .read
    }

    mutating func readBody(_ byteCount: Int) -> Action {
        switch state {
        case .reading(.body): return flush(.body)
        case .reading(.refusedBody):
            droppedByteCount += byteCount
            return droppableByteCount > 0 ? flush(.refusedBody) : answerAndEnd()
        default: unexpected("part of a body")
        }
    }

    mutating func endBody() -> Action {
        guard state == .reading(.body) || state == .reading(.refusedBody) else { unexpected("the end of a body") }
        return answer()
    }

    /// Sends the gathered responses before waiting for more input.
    mutating func flush(_ stage: Stage) -> Action {
        guard isReading else { unexpected("the end of the input") }
        return send(stage, then: .read)
    }

    mutating func yield() -> Action {
        guard case .reading(let stage) = state else { unexpected("a read") }
        become(.yielding(stage))
        return .yield
    }

    mutating func takeTurn(_ drain: Drain.Phase) -> Action {
        switch state {
        case .yielding(let stage):
            become(.reading(stage))
            return readOn(drain)
        case .lingering, .delivering: return .drop
        // Refused or cut meanwhile.
        case .reading, .answering, .awaiting, .sending, .blocked, .closed: return .wait
        }
    }

    /// Reads after waiting for something else. While the server closes, an idle connection gets only a last read.
    private mutating func readOn(_ drain: Drain.Phase) -> Action {
        drain.closesIdleConnections ? beginLook(.drain) : .read
    }

    // MARK: Answering

    private mutating func answer() -> Action {
        become(.answering)
        return .answer
    }

    /// Answers a request whose body is not, or not completely, read.
    mutating func answerAndEnd() -> Action {
        endsWithAnswer = true
        return answer()
    }

    mutating func refuse(_ error: ProtocolError) -> Action {
        guard case .reading(let stage) = state else { unexpected("a malformed message") }
        // The body is too large to be dropped; what was read of it is well formed.
        if stage == .refusedBody && error == .bodyTooLarge { return answerAndEnd() }
        return refuse(.malformed(error), isHeadComplete: error.isHeadComplete)
    }

    mutating func refuse(_ refusal: ServerEvent.Refusal, isHeadComplete: Bool = false) -> Action {
        let admission: Admission = isInFlight ? .admitted : isHeadComplete ? .headComplete : .unparsed
        endsWithAnswer = true
        interim = nil
        become(.answering)
        return .refuse(refusal, admission)
    }

    mutating func runOut(of shortage: Shortage) -> Action {
        switch (shortage, state) {
        case (.output, _): return close()
        case (_, .reading), (_, .yielding), (.request, .answering),
            // The lost bytes are part of the request.
            (_, .sending(.body, _)), (_, .sending(.refusedBody, _)),
            (_, .blocked(.body, _)), (_, .blocked(.refusedBody, _)):
            return refuse(.outOfMemory)
        case (.input, .answering), (.input, .awaiting), (.input, .sending), (.input, .blocked):
            hasLostInput = true
            return .forgetInput
        case (.input, .lingering), (.input, .delivering), (.input, .closed): return .forgetInput
        case (.request, _): unexpected("no memory for a request")
        }
    }

    mutating func awaitResponse(at now: Instant, _ times: Times) -> Action {
        guard state == .answering else { unexpected("a deferred response") }
        limit = now.advanced(byNanoseconds: times.response)
        become(.awaiting)
        return .begin
    }

    mutating func begun() -> Action {
        guard state == .awaiting else { unexpected("the beginning of a response") }
        return .send
    }

    @inline(__always)
    mutating func conclude(_ closes: Bool, _ drain: Drain.Phase) -> Action {
        guard state == .answering || state == .awaiting else {
            guard discardsAnswers else { unexpected("a second response") }
            return .discardAnswer
        }
        endsWithAnswer = endsWithAnswer || closes || hasLostInput || !drain.keepsConnections
        become(.answering)
        return .append(persists: !endsWithAnswer)
    }

    @inline(__always)
    mutating func proceed(
        _ outputByteCount: Int, _ hasMoreInput: Bool, at now: Instant, _ times: Times
    ) -> Action {
        guard state == .answering else { unexpected("an appended response") }
        hasServed = true
        if endsWithAnswer { return send(.idle, then: .linger) }
        limit = now.advanced(byNanoseconds: times.keepAlive)
        gathered += 1
        if outputByteCount >= Self.outputByteLimit || gathered >= Limits.pipelineDepthLimit {
            gathered = 0
            return send(.idle, then: hasMoreInput ? .yield : .read)
        }
        guard hasMoreInput else { return send(.idle, then: .read) }
        become(.reading(.idle))
        return .read
    }

    // MARK: Sending

    @inline(__always)
    private mutating func send(_ stage: Stage, then next: Next) -> Action {
        become(.sending(stage, then: next))
        return .send
    }

    @inline(__always)
    mutating func sent(at now: Instant, _ drain: Drain.Phase) -> Action {
        switch state {
        case .sending(let stage, then: .read) where !hasLostInput:
            become(.reading(stage))
            return .read
        case .sending(let stage, let next): return follow(next, stage, at: now)
        case .blocked(let stage, let next):
            interim = nil
            let action = follow(next, stage, at: now)
            return action == .read ? readOn(drain) : action
        case .awaiting: return .wait
        case .reading, .answering, .yielding, .lingering, .delivering, .closed: unexpected("the end of the output")
        }
    }

    private mutating func follow(_ next: Next, _ stage: Stage, at now: Instant) -> Action {
        if hasLostInput || next == .linger { return linger(at: now) }
        guard next == .yield else {
            become(.reading(stage))
            return .read
        }
        become(.yielding(stage))
        return .yield
    }

    mutating func block(at now: Instant, _ times: Times) -> Action {
        switch state {
        case .sending(let stage, let next):
            interim = now.advanced(byNanoseconds: times.write)
            become(.blocked(stage, then: next))
        // One deadline for the whole output: sending a few bytes does not extend it.
        case .blocked: break
        // The rest is sent with the response, or as soon as the socket has room.
        case .awaiting: break
        case .reading, .answering, .yielding, .lingering, .delivering, .closed: unexpected("blocked output")
        }
        return .wait
    }

    func writable() -> Action {
        switch state {
        case .blocked, .awaiting: .send
        case .reading, .answering, .sending, .yielding, .lingering, .delivering, .closed: .wait
        }
    }
}
