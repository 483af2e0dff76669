import HTTP1
import HTTPTypes
import Reactor

// Admits requests and has them answered.
extension Connection {
    /// Added to the request's time before the server answers in the handler's place: the waits of the handler itself end within
    /// that time, and their errors say more.
    static let responseGraceMilliseconds = 500
    /// An idle connection keeps at most this much of a body's memory.
    private static let retainedByteLimit = 1024

    /// A deferred response that is there before the call returns that began it. Stored indirectly, because it is rare and larger
    /// than the rest of a connection's state.
    indirect enum EarlyResponse {
        case response(Response)
    }

    // MARK: Requests

    /// The head is complete: names the request, and finds out what it leads to.
    private func admit() -> App.Plan {
        let request = request
        request.start = worker.loop.now
        worker.requestID.choose(for: request)
        worker.observe(.started)
        return worker.app.plan(for: request)
    }

    /// There is no head to go by: an empty request takes the place of the one that cannot be read.
    private func admitUnparsed() {
        request = request.next()
        request.start = worker.loop.now
        worker.requestID.make(into: &request.requestIDBytes)
        worker.observe(.started)
    }

    /// A head is complete.
    @inline(__always)
    func beginRequest() {
        let plan = admit()
        guard !reader.expectsBody else { return beginBody(plan) }
        _ = report(.head(Exchange.Head(keepsAlive: request.head.keepAlive)))
        if request.head.bytes.count > Self.uncountedByteLimit && !countInput() {
            return perform(report(.outOfMemory(.request)))
        }
        answer(plan)
    }

    private func beginBody(_ plan: App.Plan) {
        var isDecided = false
        var keepsAlive = request.head.keepAlive
        if case .answer(let response) = plan {
            isDecided = true
            keepsAlive = keepsAlive && !response.closes
        }
        let action = report(
            .head(
                Exchange.Head(
                    body: request.head.framing, isDecided: isDecided, keepsAlive: keepsAlive,
                    expectsContinue: request.head.expectsContinue, hasMoreInput: hasMoreInput)))
        if request.head.bytes.count > Self.uncountedByteLimit && !countInput() {
            return perform(report(.outOfMemory(.request)))
        }
        if isDecided {
            reader.dropBody(of: request.head)
        } else if case .length(let length) = request.head.framing, length > Self.uncountedByteLimit,
            !worker.options.memory.allows(length, for: .body)
        {
            return perform(report(.outOfMemory(.request)))
        }
        self.plan = plan
        perform(action)
    }

    /// The head is complete and declares a larger body than is taken.
    func admitTooLarge() {
        let refusal = ServerEvent.Refusal.malformed(.bodyTooLarge)
        worker.observe(.refused(refusal))
        _ = admit()
        var response = refusal.error.response(to: request)
        response.closes = false
        response.failure = refusal
        beginBody(.answer(response))
    }

    /// The body is complete.
    func endBody() {
        _ = report(.bodyEnded)
        if request.body.count > Self.uncountedByteLimit && !countInput() {
            return perform(report(.outOfMemory(.request)))
        }
        answerAsPlanned()
    }

    // MARK: Answers

    func answerAsPlanned() {
        guard let plan = plan.take() else { fatalError("a request without a plan is to be answered") }
        answer(plan)
    }

    private func answer(_ plan: App.Plan) {
        switch plan {
        case .answer(let response): conclude(response)
        case .target(let target):
            let answer = App.run({ try target.handler(request) }, request, of: worker.app)
            if case .response(let response) = answer.kind { conclude(response) } else { awaitResponse(of: answer.kind) }
        }
    }

    /// Begins what the response waits for.
    private func awaitResponse(of answer: Answer.Kind) {
        _ = report(.deferred)
        isBeginning = true
        begin(answer)
        isBeginning = false
        if case .response(let response)? = early.take() { return conclude(response) }
        if countedInput > 0 { letGoOfBody() }
        if !output.bytes.isEmpty { perform(report(.begun)) }
    }

    private func begin(_ answer: Answer.Kind) {
        let deadline = exchange.deadline - nanoseconds(Self.responseGraceMilliseconds)
        switch answer {
        case .response: fatalError("a response that is there has nothing to wait for")
        case .work(let begin): begin(Caller(self, deadline: deadline))
        case .task(let make): worker.run(make, for: self, until: deadline)
        }
    }

    /// Takes the deferred answer to the request that `make` makes, or that its error becomes.
    // Inlined, its caller would retain what it only looks at.
    @inline(never)
    func deliver(_ make: () throws -> Answer) {
        if exchange.discardsAnswers { return }
        deliver(App.run(make, request, of: worker.app).kind)
    }

    /// Takes a deferred answer to the request: its response, or what that waits for.
    func deliver(_ answer: consuming Answer.Kind) {
        if exchange.discardsAnswers { return }
        switch consume answer {
        case .response(let response):
            guard isBeginning else {
                hasMoreInput = !input.isEmpty
                conclude(response)
                return goOn()
            }
            if early != nil { fatalError("a second response to one request") }
            early = .response(response)
        case let later: begin(later)
        }
    }

    /// Sends the response to the request in flight, and makes ready for the next one.
    @inline(never)
    private func conclude(_ response: Response) {
        guard case .append(let persists) = report(.answered(closes: response.closes)) else { return }
        append(response, persists: persists)
        if persists { renewRequest() }
        perform(report(.appended(outputByteCount: output.bytes.count, hasMoreInput: hasMoreInput)))
    }

    @inline(__always)
    private func renewRequest() {
        if isKnownUniquelyReferenced(&request) {
            if !request.body.isEmpty { Self.empty(&request.body) }
            if request.head.bytes.count > Limits.retainedHeadByteLimit { request.head.reset() }
        } else {
            request = request.next()
        }
        if countedInput > 0 { _ = countInput() }
    }

    /// Frees the body once the handler has returned, unless the handler kept the request.
    private func letGoOfBody() {
        guard isKnownUniquelyReferenced(&request) else { return }
        request.body = []
        // It can only have become less.
        _ = countInput()
    }

    /// Empties a buffer, and gives its memory back when that is more than an idle connection should hold.
    private static func empty(_ buffer: inout [UInt8]) {
        if buffer.capacity > retainedByteLimit { buffer = [] } else { buffer.removeAll(keepingCapacity: true) }
    }

    // MARK: Refusals

    func refuse(_ refusal: ServerEvent.Refusal, _ admission: Exchange.Admission) {
        worker.observe(.refused(refusal))
        switch admission {
        case .admitted: break
        case .headComplete: _ = admit()
        case .unparsed: admitUnparsed()
        }
        plan = nil
        var response = refusal.error.response(to: request)
        response.closes = true
        response.failure = refusal
        conclude(response)
        if refusal == .outOfMemory {
            request.body = []
            forgetInput()
        }
    }

    /// Answers for a handler that had no response in time.
    func answerOverdue() {
        var response = HTTPError(.gatewayTimeout, "The request took too long.").response(to: request)
        response.closes = true
        response.failure = HandlerOverdue()
        conclude(response)
    }
}

extension ServerEvent.Refusal {
    /// What the client is answered.
    fileprivate var error: HTTPError {
        switch self {
        case .malformed(let error): HTTPError(error)
        case .headTimedOut: HTTPError(.requestTimeout, "The request's head took too long.")
        case .bodyTimedOut: HTTPError(.requestTimeout, "The request's body took too long.")
        case .outOfMemory: .outOfMemory
        }
    }
}

/// Behind a 504 of the server's own.
private struct HandlerOverdue: Error, CustomStringConvertible {
    var description: String { "the handler had no response in time" }
}
