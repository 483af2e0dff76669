import Platform

// Events that end a connection: timeouts, the drain, another client that needs the place, the client's close.
extension Exchange {
    private static let lingerTime = lingerLimit.nanoseconds
    private static let deliveryPoll = deliveryPause.nanoseconds
    static let lastRequestTime = lastRequestLimit.nanoseconds

    mutating func expire(at now: Instant, _ drain: Drain.Phase) -> Action {
        guard now >= deadline else { return .wait }
        switch state {
        case .reading: return beginLook(.timeout)
        case .awaiting:
            isOverdue = true
            // A late response must not be sent for a later request.
            endsWithAnswer = true
            become(.answering)
            return .answerOverdue
        case .blocked: return close()
        case .lingering: return finish(drain)
        case .delivering: return .checkDelivery
        // The timer fires again when reading resumes.
        case .yielding, .closed: return .wait
        case .answering, .sending: unexpected("a timer")
        }
    }

    mutating func drainChanged(at now: Instant, _ drain: Drain.Phase) -> Action {
        if state == .closed { return .wait }
        if drain.cutsConnections { return close() }
        guard drain.closesIdleConnections, state == .reading(.idle) else { return .wait }
        if hasServed { return beginLook(.drain) }
        limit = now.advanced(byNanoseconds: Self.lastRequestTime)
        return .wait
    }

    mutating func displace() -> Action {
        state == .reading(.idle) ? beginLook(.displacement) : .wait
    }

    mutating func beginLook(_ reason: Look) -> Action {
        look = reason
        lookLimit = limit
        return .lookAgain
    }

    mutating func endLook(_ drain: Drain.Phase) -> Action {
        let reason = look
        look = .none
        guard case .reading(let stage) = state else { return .wait }
        switch reason {
        case .none: unexpected("the end of a last read")
        case .timeout: return limit == lookLimit ? timeOut(stage, drain) : .wait
        case .displacement: return stage == .idle && limit == lookLimit ? close() : .wait
        case .drain: return stage == .idle ? finish(drain) : .wait
        }
    }

    private mutating func timeOut(_ stage: Stage, _ drain: Drain.Phase) -> Action {
        switch stage {
        case .idle: finish(drain)
        case .head: refuse(.headTimedOut)
        case .body: refuse(.bodyTimedOut)
        case .refusedBody: answerAndEnd()
        }
    }

    /// Handles the end of the client's stream.
    mutating func end(_ drain: Drain.Phase) -> Action {
        switch state {
        case .reading(.refusedBody): answerAndEnd()
        case .reading: close()
        case .lingering: finish(drain)
        case .delivering: .wait
        case .answering, .awaiting, .sending, .blocked, .yielding, .closed: unexpected("the end of the stream")
        }
    }

    mutating func linger(at now: Instant) -> Action {
        limit = now.advanced(byNanoseconds: Self.lingerTime)
        droppedByteCount = 0
        become(.lingering)
        return .linger
    }

    mutating func drop(_ byteCount: Int, _ filledBuffer: Bool) -> Action {
        guard isDropping else { unexpected("dropped bytes") }
        droppedByteCount += byteCount
        if droppedByteCount >= Self.lingerByteLimit { return close() }
        return filledBuffer ? .dropLater : .drop
    }

    /// Closes when nothing more is expected from the client. During a drain the client's kernel first has to
    /// acknowledge all data (`Drain.Phase.awaitsDelivery`).
    private mutating func finish(_ drain: Drain.Phase) -> Action {
        drain.awaitsDelivery ? .checkDelivery : close()
    }

    mutating func endDelivery(_ isComplete: Bool, at now: Instant, _ times: Times) -> Action {
        if isComplete || state == .delivering && now >= limit { return close() }
        interim = now.advanced(byNanoseconds: Self.deliveryPoll)
        if state == .delivering { return .wait }
        limit = now.advanced(byNanoseconds: times.write)
        become(.delivering)
        return .finishWriting
    }

    mutating func close() -> Action {
        if state == .closed { unexpected("an end") }
        let isAwaited = state == .awaiting
        let abandonsRequest = isInFlight
        become(.closed)
        return isAwaited ? .cut : .close(abandonsRequest: abandonsRequest)
    }
}
