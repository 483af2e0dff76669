import HTTP1
import HTTPTypes
import Platform
import Reactor

// Admits requests and answers them.
extension Connection {
    /// Added to the request timeout before the server sends 504 itself: the handler's own waits end within the timeout,
    /// and their errors are more specific.
    static let responseGrace = Duration.milliseconds(500)
    /// Body buffer capacity that an idle connection keeps.
    private static let retainedByteLimit = 1024

    /// A deferred response that arrives before the call that started it returns. Stored indirectly, because it is rare
    /// and larger than the rest of a connection's state.
    indirect enum EarlyResponse {
        case response(Response)
    }

    // MARK: Requests

    /// Starts a request whose head is complete: assigns its identifier and routes it.
    private func admit() -> App.Plan {
        let request = request
        request.start = worker.loop.now
        worker.requestID.choose(for: request)
        worker.observe(.started)
        return worker.app.plan(for: request)
    }

    /// Starts an empty request in place of one whose head could not be parsed.
    private func admitUnparsed() {
        request = request.next()
        request.start = worker.loop.now
        worker.requestID.make(into: &request.requestIDBytes)
        worker.observe(.started)
    }

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

    /// Starts a request whose head declares a body above the limit.
    func admitTooLarge() {
        let refusal = ServerEvent.Refusal.malformed(.bodyTooLarge)
        worker.observe(.refused(refusal))
        _ = admit()
        var response = refusal.error.response(to: request, under: worker.app.basePath)
        response.closes = false
        response.failure = refusal
        beginBody(.answer(response))
    }

    func endBody() {
        _ = report(.bodyEnded)
        if request.body.count > Self.uncountedByteLimit && !countInput() {
            return perform(report(.outOfMemory(.request)))
        }
        answerAsPlanned()
    }

    // MARK: Answers

    func answerAsPlanned() {
        guard let plan = plan.take() else { fatalError("the request to answer has no plan") }
        answer(plan)
    }

    private func answer(_ plan: App.Plan) {
        switch plan {
        case .answer(let response): conclude(response)
        case .target(let target): answer(call(target).kind)
        }
    }

    // Not inlined: an inlined copy would copy the response with all its members.
    @inline(never)
    private func answer(_ answer: consuming Answer.Kind) {
        switch consume answer {
        case .response(let response): conclude(response)
        case let later: awaitResponse(of: later)
        }
    }

    /// What a handler returns; an error becomes the response that the application's rules give.
    private func call(_ target: Router.Target) -> Answer {
        do { return try target.handler(request) } catch {
            return Answer(worker.app.response(to: request, after: error))
        }
    }

    /// Starts the work or the task that a deferred response comes from.
    private func awaitResponse(of answer: consuming Answer.Kind) {
        _ = report(.deferred)
        handlerDeadline = worker.loop.now.advanced(byNanoseconds: worker.handlerTime)
        isBeginning = true
        begin(answer)
        isBeginning = false
        if case .response(let response)? = early.take() { return conclude(response) }
        if countedInput > 0 { letGoOfBody() }
        if !output.bytes.isEmpty { perform(report(.begun)) }
    }

    private func begin(_ answer: consuming Answer.Kind) {
        switch consume answer {
        case .response: fatalError("a finished response was deferred")
        case .work(let work): work.begin(for: Caller(self, deadline: handlerDeadline))
        case .task(let make): worker.run(make, for: self, until: handlerDeadline)
        }
    }

    /// Receives the result of deferred work; an error becomes the response that the application's rules give.
    // Not inlined: an inlined copy would make the caller retain what it only inspects.
    @inline(never)
    func deliver(_ make: () throws -> Answer) {
        if exchange.discardsAnswers { return }
        do { deliver(try make().kind) } catch { deliver(.response(worker.app.response(to: request, after: error))) }
    }

    /// Receives a deferred answer: a response, or further work.
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

    /// Appends the response of the request in flight and prepares for the next request.
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

    /// Frees the body once the handler has returned, unless the handler retains the request.
    private func letGoOfBody() {
        guard isKnownUniquelyReferenced(&request) else { return }
        request.body = []
        // The count can only decrease here, so the reservation cannot fail.
        _ = countInput()
    }

    /// Empties a buffer; frees its memory when it exceeds `retainedByteLimit`.
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
        var response = refusal.error.response(to: request, under: worker.app.basePath)
        response.closes = true
        response.failure = refusal
        conclude(response)
        if refusal == .outOfMemory {
            request.body = []
            forgetInput()
        }
    }

    /// Sends 504 in place of a handler that has not answered in time.
    func answerOverdue() {
        let error = HTTPError(unknownOutcomeOf: request, .gatewayTimeout, "The request took too long.")
        var response = error.response(to: request, under: worker.app.basePath)
        response.closes = true
        response.failure = HandlerOverdue()
        conclude(response)
    }
}

extension ServerEvent.Refusal {
    /// The response to a refused message.
    fileprivate var error: HTTPError {
        switch self {
        case .malformed(let error): HTTPError(error)
        case .headTimedOut: HTTPError(.requestTimeout, "The request's head took too long.")
        case .bodyTimedOut: HTTPError(.requestTimeout, "The request's body took too long.")
        case .outOfMemory: .outOfMemory
        }
    }
}

/// The failure logged with a 504 that the server sends itself.
private struct HandlerOverdue: Error, CustomStringConvertible {
    var description: String { "the handler did not respond in time" }
}
