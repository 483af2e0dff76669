import HTTP1
import Platform
import Testing

@testable import Vial

/// An exchange with a clock and a drain phase that the test sets.
struct Trial {
    /// In milliseconds, as the limits are.
    var now = 0
    var drain = Drain.Phase.serving
    private(set) var exchange: Exchange
    static let times = Exchange.Times(
        keepAlive: .milliseconds(75_000), head: .milliseconds(10_000), body: .milliseconds(30_000),
        response: .milliseconds(15_500), write: .milliseconds(20_000))

    init(_ events: [Exchange.Event] = [], drain: Drain.Phase = .serving) {
        exchange = Exchange(at: instant(0), drain: drain, Self.times)
        self.drain = drain
        for event in events { _ = self(event) }
    }

    var state: Exchange.State { exchange.state }
    /// In milliseconds.
    var deadline: Int { Int(exchange.deadline.nanoseconds / 1_000_000) }

    @discardableResult
    mutating func callAsFunction(_ event: Exchange.Event) -> Exchange.Action {
        exchange.handle(event, at: instant(now), drain: drain, Self.times)
    }
}

extension Exchange.Event {
    static let get = head(Exchange.Head())
    static let post = head(Exchange.Head(body: .length(10)))
    static let refusedPost = head(Exchange.Head(body: .length(10), isDecided: true))
    static let answered = answered(closes: false)
    static let appended = appended(outputByteCount: 100, hasMoreInput: false)
    static let appendedBeforeMore = appended(outputByteCount: 100, hasMoreInput: true)
}

/// The events that lead to each state.
enum Reached: String, CaseIterable, Sendable {
    case idle, head, body, refusedBody, answering, awaiting, sending, blocked, yielding, lingering, delivering, closed

    var trial: Trial {
        switch self {
        case .idle: Trial()
        case .head: Trial([.partOfHead, .sent])
        case .body: Trial([.post])
        case .refusedBody: Trial([.refusedPost])
        case .answering: Trial([.get])
        case .awaiting: Trial([.get, .deferred, .begun, .sent])
        case .sending: Trial([.get, .answered, .appended])
        case .blocked: Trial([.get, .answered, .appended, .sendBlocked])
        case .yielding: Trial([.readFilled])
        case .lingering: Trial([.get, .answered(closes: true), .appended, .sent])
        case .delivering:
            Trial(
                [.get, .answered, .appended, .sent, .ended, .deliveryChecked(isComplete: false)], drain: .announcing)
        case .closed: Trial([.failed])
        }
    }
}

struct ExchangeTests {
    @Test func `every state is reached as its name says`() {
        let states = Reached.allCases.map(\.trial.state)
        #expect(
            states == [
                .reading(.idle), .reading(.head), .reading(.body), .reading(.refusedBody), .answering, .awaiting,
                .sending(.idle, then: .read), .blocked(.idle, then: .read), .yielding(.idle), .lingering, .delivering,
                .closed,
            ])
    }

    // MARK: Every state and event

    struct Row: Sendable, CustomStringConvertible {
        let from: Reached
        let event: Exchange.Event
        let action: Exchange.Action
        let state: Exchange.State

        init(_ from: Reached, _ event: Exchange.Event, _ action: Exchange.Action, _ state: Exchange.State) {
            (self.from, self.event, self.action, self.state) = (from, event, action, state)
        }

        var description: String { "\(from) \(event)" }
    }

    static let rows: [Row] = [
        Row(.idle, .readable, .read, .reading(.idle)),
        Row(.idle, .writable, .wait, .reading(.idle)),
        Row(.idle, .turnCame, .wait, .reading(.idle)),
        Row(.idle, .drainChanged, .wait, .reading(.idle)),
        Row(.idle, .displaced, .lookAgain, .reading(.idle)),
        Row(.idle, .readFilled, .yield, .yielding(.idle)),
        Row(.idle, .ended, .close(abandonsRequest: false), .closed),
        Row(.idle, .failed, .close(abandonsRequest: false), .closed),
        Row(.idle, .inputUsed, .send, .sending(.idle, then: .read)),
        Row(.idle, .partOfHead, .send, .sending(.head, then: .read)),
        Row(.idle, .get, .answer, .answering),
        Row(.idle, .post, .read, .reading(.body)),
        Row(.idle, .refusedPost, .read, .reading(.refusedBody)),
        Row(.idle, .malformed(.badMethod), .refuse(.malformed(.badMethod), .unparsed), .answering),
        Row(
            .idle, .malformed(.unsupportedExpectation),
            .refuse(.malformed(.unsupportedExpectation), .headComplete), .answering),
        Row(.idle, .outOfMemory(.input), .refuse(.outOfMemory, .unparsed), .answering),
        Row(.idle, .deliveryChecked(isComplete: true), .close(abandonsRequest: false), .closed),
        Row(.idle, .deliveryChecked(isComplete: false), .finishWriting, .delivering),

        Row(.head, .readable, .read, .reading(.head)),
        Row(.head, .writable, .wait, .reading(.head)),
        Row(.head, .turnCame, .wait, .reading(.head)),
        Row(.head, .drainChanged, .wait, .reading(.head)),
        Row(.head, .displaced, .wait, .reading(.head)),
        Row(.head, .readFilled, .yield, .yielding(.head)),
        Row(.head, .ended, .close(abandonsRequest: false), .closed),
        Row(.head, .failed, .close(abandonsRequest: false), .closed),
        Row(.head, .partOfHead, .send, .sending(.head, then: .read)),
        Row(.head, .get, .answer, .answering),
        Row(.head, .post, .read, .reading(.body)),
        Row(.head, .refusedPost, .read, .reading(.refusedBody)),
        Row(.head, .malformed(.headTooLong), .refuse(.malformed(.headTooLong), .unparsed), .answering),
        Row(.head, .outOfMemory(.input), .refuse(.outOfMemory, .unparsed), .answering),

        Row(.body, .readable, .read, .reading(.body)),
        Row(.body, .writable, .wait, .reading(.body)),
        Row(.body, .turnCame, .wait, .reading(.body)),
        Row(.body, .drainChanged, .wait, .reading(.body)),
        Row(.body, .displaced, .wait, .reading(.body)),
        Row(.body, .readFilled, .yield, .yielding(.body)),
        Row(.body, .ended, .close(abandonsRequest: true), .closed),
        Row(.body, .failed, .close(abandonsRequest: true), .closed),
        Row(.body, .partOfBody(byteCount: 5), .send, .sending(.body, then: .read)),
        Row(.body, .bodyEnded, .answer, .answering),
        Row(.body, .malformed(.bodyTooLarge), .refuse(.malformed(.bodyTooLarge), .admitted), .answering),
        Row(.body, .outOfMemory(.request), .refuse(.outOfMemory, .admitted), .answering),
        Row(.body, .outOfMemory(.input), .refuse(.outOfMemory, .admitted), .answering),

        Row(.refusedBody, .readable, .read, .reading(.refusedBody)),
        Row(.refusedBody, .writable, .wait, .reading(.refusedBody)),
        Row(.refusedBody, .turnCame, .wait, .reading(.refusedBody)),
        Row(.refusedBody, .drainChanged, .wait, .reading(.refusedBody)),
        Row(.refusedBody, .displaced, .wait, .reading(.refusedBody)),
        Row(.refusedBody, .readFilled, .yield, .yielding(.refusedBody)),
        Row(.refusedBody, .ended, .answer, .answering),
        Row(.refusedBody, .failed, .close(abandonsRequest: true), .closed),
        Row(.refusedBody, .partOfBody(byteCount: 5), .send, .sending(.refusedBody, then: .read)),
        Row(.refusedBody, .partOfBody(byteCount: Limits.droppedBodyByteLimit), .answer, .answering),
        Row(.refusedBody, .bodyEnded, .answer, .answering),
        Row(
            .refusedBody, .malformed(.invalidChunkSize), .refuse(.malformed(.invalidChunkSize), .admitted), .answering),
        Row(.refusedBody, .malformed(.bodyTooLarge), .answer, .answering),
        Row(.refusedBody, .outOfMemory(.input), .refuse(.outOfMemory, .admitted), .answering),

        Row(.answering, .readable, .wait, .answering),
        Row(.answering, .failed, .close(abandonsRequest: true), .closed),
        Row(.answering, .outOfMemory(.request), .refuse(.outOfMemory, .admitted), .answering),
        Row(.answering, .outOfMemory(.input), .forgetInput, .answering),
        Row(.answering, .deferred, .begin, .awaiting),
        Row(.answering, .answered, .append(persists: true), .answering),
        Row(.answering, .answered(closes: true), .append(persists: false), .answering),
        Row(.answering, .appended, .send, .sending(.idle, then: .read)),
        Row(.answering, .appendedBeforeMore, .read, .reading(.idle)),

        Row(.awaiting, .readable, .wait, .awaiting),
        Row(.awaiting, .writable, .send, .awaiting),
        Row(.awaiting, .turnCame, .wait, .awaiting),
        Row(.awaiting, .drainChanged, .wait, .awaiting),
        Row(.awaiting, .displaced, .wait, .awaiting),
        Row(.awaiting, .failed, .cut, .closed),
        Row(.awaiting, .outOfMemory(.input), .forgetInput, .awaiting),
        Row(.awaiting, .outOfMemory(.output), .cut, .closed),
        Row(.awaiting, .begun, .send, .awaiting),
        Row(.awaiting, .answered, .append(persists: true), .answering),
        Row(.awaiting, .sent, .wait, .awaiting),
        Row(.awaiting, .sendBlocked, .wait, .awaiting),

        Row(.sending, .readable, .wait, .sending(.idle, then: .read)),
        Row(.sending, .sent, .read, .reading(.idle)),
        Row(.sending, .sendBlocked, .wait, .blocked(.idle, then: .read)),
        Row(.sending, .failed, .close(abandonsRequest: false), .closed),
        Row(.sending, .outOfMemory(.input), .forgetInput, .sending(.idle, then: .read)),
        Row(.sending, .outOfMemory(.output), .close(abandonsRequest: false), .closed),

        Row(.blocked, .readable, .wait, .blocked(.idle, then: .read)),
        Row(.blocked, .writable, .send, .blocked(.idle, then: .read)),
        Row(.blocked, .turnCame, .wait, .blocked(.idle, then: .read)),
        Row(.blocked, .drainChanged, .wait, .blocked(.idle, then: .read)),
        Row(.blocked, .displaced, .wait, .blocked(.idle, then: .read)),
        Row(.blocked, .sent, .read, .reading(.idle)),
        Row(.blocked, .sendBlocked, .wait, .blocked(.idle, then: .read)),
        Row(.blocked, .failed, .close(abandonsRequest: false), .closed),
        Row(.blocked, .outOfMemory(.input), .forgetInput, .blocked(.idle, then: .read)),
        Row(.blocked, .outOfMemory(.output), .close(abandonsRequest: false), .closed),

        Row(.yielding, .readable, .wait, .yielding(.idle)),
        Row(.yielding, .writable, .wait, .yielding(.idle)),
        Row(.yielding, .turnCame, .read, .reading(.idle)),
        Row(.yielding, .drainChanged, .wait, .yielding(.idle)),
        Row(.yielding, .displaced, .wait, .yielding(.idle)),
        Row(.yielding, .failed, .close(abandonsRequest: false), .closed),
        Row(.yielding, .outOfMemory(.input), .refuse(.outOfMemory, .unparsed), .answering),

        Row(.lingering, .readable, .drop, .lingering),
        Row(.lingering, .writable, .wait, .lingering),
        Row(.lingering, .turnCame, .drop, .lingering),
        Row(.lingering, .drainChanged, .wait, .lingering),
        Row(.lingering, .displaced, .wait, .lingering),
        Row(.lingering, .ended, .close(abandonsRequest: false), .closed),
        Row(.lingering, .failed, .close(abandonsRequest: false), .closed),
        Row(.lingering, .dropped(byteCount: 10, filledBuffer: false), .drop, .lingering),
        Row(.lingering, .dropped(byteCount: 10, filledBuffer: true), .dropLater, .lingering),
        Row(
            .lingering, .dropped(byteCount: Exchange.lingerByteLimit, filledBuffer: true),
            .close(abandonsRequest: false), .closed),
        Row(.lingering, .outOfMemory(.input), .forgetInput, .lingering),
        Row(.lingering, .deliveryChecked(isComplete: true), .close(abandonsRequest: false), .closed),
        Row(.lingering, .deliveryChecked(isComplete: false), .finishWriting, .delivering),

        Row(.delivering, .readable, .drop, .delivering),
        Row(.delivering, .writable, .wait, .delivering),
        Row(.delivering, .turnCame, .drop, .delivering),
        Row(.delivering, .drainChanged, .wait, .delivering),
        Row(.delivering, .displaced, .wait, .delivering),
        Row(.delivering, .ended, .wait, .delivering),
        Row(.delivering, .failed, .close(abandonsRequest: false), .closed),
        Row(.delivering, .dropped(byteCount: 10, filledBuffer: false), .drop, .delivering),
        Row(.delivering, .outOfMemory(.input), .forgetInput, .delivering),
        Row(.delivering, .deliveryChecked(isComplete: true), .close(abandonsRequest: false), .closed),
        Row(.delivering, .deliveryChecked(isComplete: false), .wait, .delivering),

        Row(.closed, .readable, .wait, .closed),
        Row(.closed, .writable, .wait, .closed),
        Row(.closed, .expired, .wait, .closed),
        Row(.closed, .turnCame, .wait, .closed),
        Row(.closed, .drainChanged, .wait, .closed),
        Row(.closed, .displaced, .wait, .closed),
        Row(.closed, .looked, .wait, .closed),
        Row(.closed, .outOfMemory(.input), .forgetInput, .closed),
        Row(.closed, .answered, .discardAnswer, .closed),
    ]

    @Test(arguments: rows)
    func `an event has one action and one next state`(row: Row) {
        var trial = row.from.trial
        #expect(trial(row.event) == row.action)
        #expect(trial.state == row.state)
    }

    @Test func `a second response to a request traps`() async {
        await #expect(processExitsWith: .failure) {
            var trial = Trial([.get, .answered, .appended, .sent])
            trial(.answered)
        }
    }

    @Test func `a head while a response is awaited traps`() async {
        await #expect(processExitsWith: .failure) {
            var trial = Trial([.get, .deferred, .begun, .sent])
            trial(.get)
        }
    }

    @Test func `the end of output that was not being sent traps`() async {
        await #expect(processExitsWith: .failure) {
            var trial = Trial()
            trial(.sent)
        }
    }

    @Test func `parsing bytes after the last response traps`() async {
        await #expect(processExitsWith: .failure) {
            var trial = Trial([.get, .answered(closes: true), .appended, .sent])
            trial(.partOfHead)
        }
    }

    // MARK: Keep-alive

    @Test(arguments: [
        (true, false, Drain.Phase.serving, true), (false, false, .serving, false), (true, true, .serving, false),
        (true, false, .announcing, false), (true, false, .closing, false),
    ])
    func `the connection stays when the client, the answer and the drain allow it`(
        keepsAlive: Bool, closes: Bool, drain: Drain.Phase, persists: Bool
    ) {
        var trial = Trial([.head(Exchange.Head(keepsAlive: keepsAlive))])
        trial.drain = drain
        #expect(trial(.answered(closes: closes)) == .append(persists: persists))
        #expect(trial(.appendedBeforeMore) == (persists ? .read : .send))
        guard !persists else { return }
        #expect(trial.state == .sending(.idle, then: .linger))
        #expect(trial(.sent) == .linger)
    }

    @Test func `a request's Connection option does not affect the next request`() {
        var trial = Trial([.get, .answered, .appended, .sent, .head(Exchange.Head(keepsAlive: false))])
        #expect(trial(.answered) == .append(persists: false))
    }

    // MARK: Pipelining

    @Test func `responses are gathered while there is more input, and then sent`() {
        var trial = Trial()
        for _ in 0..<3 {
            #expect(trial(.get) == .answer)
            #expect(trial(.answered) == .append(persists: true))
            #expect(trial(.appendedBeforeMore) == .read)
        }
        trial(.get)
        trial(.answered)
        #expect(trial(.appended) == .send)
        #expect(trial(.sent) == .read)
    }

    @Test func `gathered responses are sent before waiting for the rest of a head`() {
        var trial = Trial([.get, .answered, .appendedBeforeMore])
        #expect(trial(.partOfHead) == .send)
        #expect(trial(.sent) == .read)
        #expect(trial.state == .reading(.head))
    }

    @Test func `gathered responses are sent before waiting for a handler`() {
        var trial = Trial([.get, .answered, .appendedBeforeMore, .get, .deferred])
        #expect(trial(.begun) == .send)
        #expect(trial(.sent) == .wait)
        #expect(trial.state == .awaiting)
    }

    @Test func `output blocked while a response is awaited is sent with it, or before`() {
        var trial = Trial([.get, .answered, .appendedBeforeMore, .get, .deferred, .begun])
        #expect(trial(.sendBlocked) == .wait)
        #expect(trial(.writable) == .send)
        #expect(trial(.sendBlocked) == .wait)
        #expect(trial(.answered) == .append(persists: true))
        #expect(trial(.appended) == .send)
        #expect(trial(.sendBlocked) == .wait)
        #expect(trial.state == .blocked(.idle, then: .read))
    }

    @Test(arguments: [true, false])
    func `the connection yields after the maximum number of gathered responses if there is more input`(
        hasMoreInput: Bool
    ) {
        var trial = Trial()
        for _ in 1..<Limits.pipelineDepthLimit {
            trial(.get)
            trial(.answered)
            #expect(trial(.appendedBeforeMore) == .read)
        }
        trial(.get)
        trial(.answered)
        #expect(trial(.appended(outputByteCount: 100, hasMoreInput: hasMoreInput)) == .send)
        #expect(trial(.sent) == (hasMoreInput ? .yield : .read))
        guard hasMoreInput else { return }
        #expect(trial(.readable) == .wait)
        #expect(trial(.turnCame) == .read)
        // The count starts anew.
        trial(.get)
        trial(.answered)
        #expect(trial(.appendedBeforeMore) == .read)
    }

    @Test(arguments: [(Exchange.outputByteLimit - 1, false), (Exchange.outputByteLimit, true)])
    func `the connection yields at the maximum size of gathered responses`(byteCount: Int, yields: Bool) {
        var trial = Trial([.get, .answered])
        #expect(trial(.appended(outputByteCount: byteCount, hasMoreInput: true)) == (yields ? .send : .read))
        if yields { #expect(trial(.sent) == .yield) }
    }

    // MARK: Time

    @Test(arguments: [
        (Reached.idle, 75_000), (.head, 10_000), (.body, 30_000), (.refusedBody, 30_000), (.awaiting, 15_500),
        (.blocked, 20_000), (.lingering, 1000), (.delivering, 20),
    ])
    func `each wait has its own time limit`(reached: Reached, milliseconds: Int) {
        #expect(reached.trial.deadline == milliseconds)
    }

    @Test func `progress does not extend a deadline`() {
        var trial = Reached.head.trial
        trial.now = 9000
        trial(.partOfHead)
        trial(.sent)
        #expect(trial.deadline == 10_000)
        trial = Reached.body.trial
        trial.now = 9000
        trial(.partOfBody(byteCount: 5))
        trial(.sent)
        #expect(trial.deadline == 30_000)
        trial = Reached.blocked.trial
        trial.now = 9000
        trial(.writable)
        trial(.sendBlocked)
        #expect(trial.deadline == 20_000)
    }

    @Test func `during a drain the end of lingering starts the wait for delivery`() {
        var trial = Reached.lingering.trial
        trial.drain = .announcing
        trial.now = trial.deadline
        #expect(trial(.expired) == .checkDelivery)
        #expect(trial(.deliveryChecked(isComplete: false)) == .finishWriting)
        #expect(trial.state == .delivering)
    }

    @Test func `bytes of a refused body do not count toward the bytes dropped while lingering`() {
        var trial = Trial([
            .refusedPost, .partOfBody(byteCount: 5), .sent, .bodyEnded, .answered(closes: true), .appended, .sent,
        ])
        #expect(trial.state == .lingering)
        #expect(trial(.dropped(byteCount: Exchange.lingerByteLimit - 1, filledBuffer: false)) == .drop)
    }

    @Test func `sent output restores the reading side's deadline`() {
        var trial = Reached.sending.trial
        trial.now = 1000
        trial(.sendBlocked)
        #expect(trial.deadline == 21_000)
        trial(.sent)
        #expect(trial.deadline == 75_000)
    }

    @Test(arguments: [
        (Reached.idle, Exchange.Action.close(abandonsRequest: false)),
        (.head, .refuse(.headTimedOut, .unparsed)), (.body, .refuse(.bodyTimedOut, .admitted)),
        (.refusedBody, .answer),
    ])
    func `nothing times out before a last read`(reached: Reached, action: Exchange.Action) {
        var trial = reached.trial
        trial.now = trial.deadline
        #expect(trial(.expired) == .lookAgain)
        #expect(trial(.looked) == action)
    }

    @Test func `a timer that fires early ends nothing`() {
        for reached in Reached.allCases where reached != .answering && reached != .sending && reached != .closed {
            var trial = reached.trial
            trial.now = trial.deadline - 1
            #expect(trial(.expired) == .wait)
        }
    }

    @Test func `a request found by the last read is neither late nor idle`() {
        for event in [Exchange.Event.expired, .displaced] {
            var trial = Trial()
            trial.now = 75_000
            #expect(trial(event) == .lookAgain)
            for found in [Exchange.Event.get, .answered, .appended, .sent] { trial(found) }
            #expect(trial(.looked) == .wait)
            #expect(trial.state == .reading(.idle) && trial.deadline == 150_000)
        }
    }

    @Test func `part of a body found by the last read does not prevent the timeout`() {
        var trial = Reached.body.trial
        trial.now = 30_000
        trial(.expired)
        trial(.partOfBody(byteCount: 5))
        trial(.sent)
        #expect(trial(.looked) == .refuse(.bodyTimedOut, .admitted))
    }

    @Test func `a body that fills the last read times out in the next iteration`() {
        var trial = Reached.body.trial
        trial.now = 30_000
        trial(.expired)
        trial(.readFilled)
        #expect(trial(.looked) == .wait)
        #expect(trial(.expired) == .wait)
        #expect(trial(.turnCame) == .read)
        #expect(trial(.expired) == .lookAgain)
        #expect(trial(.looked) == .refuse(.bodyTimedOut, .admitted))
    }

    @Test func `an overdue response is replaced by 504, and discarded when it arrives`() {
        var trial = Reached.awaiting.trial
        trial.now = 15_500
        #expect(trial(.expired) == .answerOverdue)
        #expect(trial(.answered) == .append(persists: false))
        #expect(trial(.appended) == .send)
        #expect(trial(.answered) == .discardAnswer)
        #expect(trial(.sent) == .linger)
        #expect(trial(.answered) == .discardAnswer)
        trial(.ended)
        #expect(trial(.answered) == .discardAnswer)
        #expect(trial.state == .closed)
    }

    @Test func `blocked output and a linger end at their deadline`() {
        for reached in [Reached.blocked, .lingering] {
            var trial = reached.trial
            trial.now = trial.deadline
            #expect(trial(.expired) == .close(abandonsRequest: false))
        }
    }

    // MARK: Bodies

    @Test func `100 Continue is sent, unless part of the body has arrived`() {
        for hasMoreInput in [true, false] {
            var trial = Trial()
            let head = Exchange.Head(body: .chunked, expectsContinue: true, hasMoreInput: hasMoreInput)
            #expect(trial(.head(head)) == (hasMoreInput ? .read : .sendContinue))
            guard !hasMoreInput else { continue }
            #expect(trial(.sent) == .read)
            #expect(trial.state == .reading(.body))
        }
    }

    @Test(arguments: [
        (Exchange.Head(body: .length(65_536), isDecided: true), true),
        (Exchange.Head(body: .length(65_537), isDecided: true), false),
        (Exchange.Head(body: .chunked, isDecided: true), true),
        (Exchange.Head(body: .length(1), isDecided: true, expectsContinue: true), false),
        (Exchange.Head(body: .length(1), isDecided: true, expectsContinue: true, hasMoreInput: true), false),
        (Exchange.Head(body: .length(1), isDecided: true, keepsAlive: false), false),
    ])
    func `a refused body is dropped if the connection can stay open`(head: Exchange.Head, isDropped: Bool) {
        var trial = Trial()
        #expect(trial(.head(head)) == (isDropped ? .read : .answer))
        if isDropped {
            #expect(trial(.bodyEnded) == .answer)
            #expect(trial(.answered) == .append(persists: true))
        } else {
            #expect(trial(.answered) == .append(persists: false))
            #expect(trial(.appended) == .send)
            #expect(trial(.sent) == .linger)
        }
    }

    @Test func `a refused head without a body is answered at once, and the connection stays open`() {
        var trial = Trial()
        #expect(trial(.head(Exchange.Head(body: .length(0), isDecided: true))) == .answer)
        #expect(trial(.answered) == .append(persists: true))
    }

    @Test func `a refused body is not read while the server drains`() {
        var trial = Trial([], drain: .announcing)
        #expect(trial(.refusedPost) == .answer)
        #expect(trial(.answered) == .append(persists: false))
    }

    @Test func `chunks beyond the limit are answered at the limit, and the connection closes`() {
        var trial = Trial([.head(Exchange.Head(body: .chunked, isDecided: true))])
        trial(.partOfBody(byteCount: Limits.droppedBodyByteLimit - 1))
        trial(.sent)
        #expect(trial.exchange.droppableByteCount == 1)
        #expect(trial(.partOfBody(byteCount: 1)) == .answer)
        #expect(trial(.answered) == .append(persists: false))
    }

    @Test func `the limit on dropped bytes starts anew for each body`() {
        var trial = Trial()
        for _ in 0..<3 {
            trial(.head(Exchange.Head(body: .chunked, isDecided: true)))
            #expect(trial(.partOfBody(byteCount: 40_000)) == .send)
            trial(.sent)
            for event in [Exchange.Event.bodyEnded, .answered, .appended] { trial(event) }
            #expect(trial(.sent) == .read)
        }
    }

    @Test(arguments: [Exchange.Event.ended, .looked])
    func `a refused body that does not arrive is answered at the timeout, and the connection closes`(
        event: Exchange.Event
    ) {
        var trial = Reached.refusedBody.trial
        trial.now = 30_000
        if event == .looked { trial(.expired) }
        #expect(trial(event) == .answer)
        #expect(trial(.answered) == .append(persists: false))
    }

    // MARK: Memory

    @Test(arguments: [Reached.answering, .awaiting, .sending, .blocked])
    func `a connection that dropped input closes after its output`(reached: Reached) {
        var trial = reached.trial
        #expect(trial(.outOfMemory(.input)) == .forgetInput)
        if reached == .answering || reached == .awaiting {
            #expect(trial(.answered) == .append(persists: false))
            trial(.appended)
        }
        #expect(trial(.sent) == .linger)
    }

    @Test(arguments: [false, true])
    func `a body dropped after 100 Continue is refused`(isBlocked: Bool) {
        var trial = Trial([.head(Exchange.Head(body: .length(5), expectsContinue: true))])
        if isBlocked { trial(.sendBlocked) }
        #expect(trial(.outOfMemory(.input)) == .refuse(.outOfMemory, .admitted))
        for event in [Exchange.Event.answered(closes: true), .appended] { trial(event) }
        #expect(trial(.sent) == .linger)
        #expect(trial.deadline == 1000)
    }

    // MARK: Drain

    @Test(arguments: [(Drain.Phase.serving, 75_000), (.announcing, 75_000), (.closing, 1000)])
    func `a new connection has less time for its first request while the server closes`(
        phase: Drain.Phase, milliseconds: Int
    ) {
        #expect(Trial([], drain: phase).deadline == milliseconds)
    }

    @Test func `an idle connection closes after a last read, one without a request yet after a second`() {
        var served = Trial([.get, .answered, .appended, .sent])
        served.drain = .closing
        #expect(served(.drainChanged) == .lookAgain)
        #expect(served(.looked) == .checkDelivery)
        #expect(served(.deliveryChecked(isComplete: true)) == .close(abandonsRequest: false))

        var new = Trial()
        new.drain = .closing
        #expect(new(.drainChanged) == .wait)
        #expect(new.deadline == 1000)
    }

    @Test func `a connection that becomes idle while the server closes is closed`() {
        for reached in [Reached.blocked, .yielding] {
            var trial = reached.trial
            trial.drain = .closing
            #expect(trial(.drainChanged) == .wait)
            #expect(trial(reached == .blocked ? .sent : .turnCame) == .lookAgain)
            #expect(trial(.looked) == .checkDelivery)
        }
    }

    @Test func `a request found by the last read is answered, and ends the connection`() {
        var trial = Reached.blocked.trial
        trial.drain = .closing
        trial(.sent)
        trial(.get)
        #expect(trial(.answered) == .append(persists: false))
        trial(.appended)
        #expect(trial(.sent) == .linger)
        #expect(trial(.looked) == .wait)
    }

    @Test func `the cut closes all connections`() {
        let inCall: [Reached] = [.answering, .sending, .closed]
        for reached in Reached.allCases where !inCall.contains(reached) {
            var trial = reached.trial
            trial.drain = .cutting
            let abandons = reached == .body || reached == .refusedBody
            #expect(trial(.drainChanged) == (reached == .awaiting ? .cut : .close(abandonsRequest: abandons)))
            #expect(trial.state == .closed)
        }
    }

    @Test func `while draining, a close waits for the client's acknowledgement, up to the write timeout`() {
        var trial = Reached.lingering.trial
        trial.drain = .announcing
        #expect(trial(.ended) == .checkDelivery)
        #expect(trial(.deliveryChecked(isComplete: false)) == .finishWriting)
        for moment in stride(from: 20, to: 20_000, by: 20) {
            trial.now = moment
            #expect(trial(.expired) == .checkDelivery)
            #expect(trial(.deliveryChecked(isComplete: false)) == .wait)
        }
        trial.now = 20_000
        #expect(trial(.expired) == .checkDelivery)
        #expect(trial(.deliveryChecked(isComplete: false)) == .close(abandonsRequest: false))
    }

    @Test func `a displaced connection closes at once`() {
        var trial = Trial()
        #expect(trial(.displaced) == .lookAgain)
        #expect(trial(.looked) == .close(abandonsRequest: false))
    }
}
