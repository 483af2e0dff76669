import HTTP1
import Platform
import Reactor

/// One client's connection, from accept to close. Used only on its event loop.
///
/// It performs what its `Exchange` decides: reads and parses (`Connection+Input`), calls the application
/// (`Connection+Answers`), writes (`Connection+Output`) and arms the timer. Each call from the loop reports an event,
/// performs the resulting action, continues reading if that follows, and arms the timer.
final class Connection: ReadinessObserver {
    let worker: Worker
    let socket: FileDescriptor
    let readiness: Readiness
    private(set) var exchange: Exchange
    /// The deadline for which the timer is armed; 0 after it has fired.
    private var armed = Instant(nanoseconds: 0)

    var reader: RequestReader
    var request = Request()
    /// Received but unused bytes: part of a request, or pipelined requests behind the one in flight.
    var input: [UInt8] = []
    /// Bytes of kept input that are reserved in the process's memory budget.
    var countedInput = 0
    /// Whether bytes were received that have not been parsed.
    var hasMoreInput = false
    /// How to answer the request once its body is complete.
    var plan: App.Plan?
    /// The deadline of the handler and of all work that follows on it. The server itself answers `responseGrace` later.
    var handlerDeadline = Instant(nanoseconds: 0)
    /// Whether the call that starts a deferred response is still running.
    var isBeginning = false
    /// A response that arrived before that call returned.
    var early: EarlyResponse?
    var output = OutputBuffer()

    init(_ socket: consuming FileDescriptor, peer: SocketAddress, worker: Worker) throws(SystemError) {
        self.worker = worker
        request.peer = peer
        request.isPeerTrusted = worker.trusts(peer)
        reader = RequestReader(limits: worker.options.limits)
        exchange = Exchange(at: worker.loop.now, drain: worker.drain.phase, worker.times)
        readiness = try Readiness(socket.number, on: worker.loop)
        self.socket = socket
    }

    /// Serves the client until either side closes.
    func serve() {
        readiness.notify(self)
        armTimer()
    }

    // MARK: Entries from the loop

    func becameReadable() {
        if exchange.isReading { read() } else { perform(report(.readable)) }
        armTimer()
    }

    func becameWritable() { enter(.writable) }

    func expired() {
        armed = Instant(nanoseconds: 0)
        enter(.expired)
    }

    func drainChanged() { enter(.drainChanged) }

    /// Closes the connection to make room for another client, unless a request has arrived meanwhile.
    ///
    /// - Returns: whether the connection is closed.
    func giveUp() -> Bool {
        enter(.displaced)
        return exchange.state == .closed
    }

    private func enter(_ event: Exchange.Event) {
        perform(report(event))
        goOn()
    }

    /// Ends a call from the loop.
    func goOn() {
        readOn()
        armTimer()
    }

    private func armTimer() {
        let deadline = exchange.deadline
        guard deadline != armed else { return }
        armed = deadline
        readiness.arm(expiry: deadline)
    }

    // MARK: Actions

    @inline(__always)
    func report(_ event: Exchange.Event) -> Exchange.Action {
        exchange.handle(event, at: worker.loop.now, drain: worker.drain.phase, worker.times)
    }

    @inline(__always)
    func perform(_ action: Exchange.Action) {
        switch action {
        // Reading continues in the function that reported the event.
        case .wait, .read: break
        case .send: send()
        default: performRare(action)
        }
    }

    private func performRare(_ action: Exchange.Action) {
        switch action {
        case .answer: answerAsPlanned()
        case .lookAgain:
            readiness.assumeReadable()
            readOn()
            perform(report(.looked))
        case .yield, .dropLater: worker.loop.atNextTurn { [self] in enter(.turnCame) }
        case .sendContinue:
            worker.lendOutput(&output.bytes)
            ResponseEncoder.encodeContinue(into: &output.bytes)
            send()
        case .refuse(let refusal, let admission): refuse(refusal, admission)
        case .answerOverdue: answerOverdue()
        case .linger:
            socket.shutdownWrite()
            drop()
        case .drop: drop()
        case .forgetInput: forgetInput()
        case .checkDelivery: perform(report(.deliveryChecked(isComplete: socket.unacknowledgedByteCount == 0)))
        case .finishWriting: socket.shutdownWrite()
        case .close(let abandonsRequest): close(abandonsRequest: abandonsRequest)
        case .cut:
            // A handler holds this object, and with it the socket, until it has its response.
            socket.shutdownWrite()
            close(abandonsRequest: true)
        case .wait, .read, .send, .begin, .append, .discardAnswer:
            fatalError("\(action) is performed where its event is reported")
        }
    }

    private func close(abandonsRequest: Bool) {
        if abandonsRequest { worker.observe(.abandoned) }
        readiness.cancel()
        // A handler that has not answered yet holds this object and the request with its body.
        input = []
        worker.options.memory.release(countedInput)
        countedInput = 0
        output.discard(worker.options.memory)
        worker.closed(self)
    }
}
