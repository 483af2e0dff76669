import HTTP1
import Vial

/// One client and its connection: the client's state, and that of `Vial.Connection`.
final class Client {
    /// An answer, or a 100 (Continue), that the service has written.
    struct Answer {
        /// An index into `Life.requests`; nil when the service could not parse the request.
        var request: Int?
        var status = 0
        var closes = false
        var isContinue = false
        /// An index into `World.calls`.
        var call: Int?
        var size = 180
        /// Its end as an offset in everything that was written.
        var end = 0
    }

    let index: Int

    // MARK: the client's side

    var plan = Life.Client()
    var hasConnected = false
    /// The kernel has opened its connection, and the service has not accepted it.
    var isQueued = false
    var connectedAt: Moment = 0
    /// The request that is being sent, or the next one, counted from 0.
    var next = 0
    /// The current request's bytes, the number sent, the end of its head, and the size of a piece.
    var bytes: [UInt8] = []
    var sentBytes = 0
    var headEnd = 0
    var pieceSize = 0
    /// Number of requests begun, and of those answered.
    var begun = 0
    var answered = 0
    /// Number of requests begun before the service closed its side.
    var begunBeforeShut = 0
    var isWaitingForAnswers = false
    var isWaitingForContinue = false
    /// Whether the client knows that the connection is closing; it sends nothing more.
    var isTold = false
    /// Whether an answer announced that.
    var hasLastAnswer = false
    /// Whether it has closed or reset its side.
    var isGone = false
    var hasFinished = false
    var isTakeScheduled = false
    /// Number of bytes and of answers that the client has read.
    var taken = 0
    var takenAnswers = 0

    // MARK: the service's side

    var socket = Socket()
    var exchange = Exchange(
        at: Moment(0).instant, drain: .serving,
        Exchange.Times(keepAlive: .zero, head: .zero, body: .zero, response: .zero, write: .zero))
    var timer = Timer()
    var reader = RequestReader(limits: Limits())
    var head = RequestHead()
    var body: [UInt8] = []
    /// Buffered input; the first `used` bytes are parsed.
    var input: [UInt8] = []
    var used = 0
    /// Whether there is new input, or an answer, since the parser last asked for more.
    var hasNews = false
    var isLooking = false
    var isCalling = false
    /// The request that was parsed last.
    var current: Int?
    var inFlight = false
    /// The request whose answer the service waits for, and when a check first found it waiting.
    var awaited: Int?
    var awaitingBegan: Moment = 0
    var admitted: Moment = 0
    var hasClosingAnswer = false
    var response: Answer?
    /// Whether the request in flight declares a body above the limit.
    var isTooLarge = false
    var isCut = false
    var isDisplaced = false
    /// When it was accepted or last answered.
    var idleSince: Moment = 0
    var hasHeadBegun = false
    var headBegan: Moment = 0
    /// Bytes of the current body that were dropped.
    var droppedOfBody = 0
    var hasLostInput = false
    var answers: [Answer] = []
    /// The offset at which the service's output buffer begins.
    var outputStart = 0
    var written = 0
    var sent = 0
    /// When the service closed its side.
    var shutAt: Moment = 0
    /// Distinguishes its connection from those of other schedules.
    var connection = 0

    init(index: Int) {
        self.index = index
    }

    func begin(_ plan: Life.Client, connection: Int) {
        self.plan = plan
        self.connection = connection
        hasConnected = false
        isQueued = false
        next = 0
        bytes.removeAll(keepingCapacity: true)
        sentBytes = 0
        begun = 0
        answered = 0
        isWaitingForAnswers = false
        isWaitingForContinue = false
        isTold = false
        hasLastAnswer = false
        isGone = false
        hasFinished = false
        isTakeScheduled = false
        taken = 0
        takenAnswers = 0
        socket.isOpen = false
        timer.cancel()
        body.removeAll(keepingCapacity: true)
        input.removeAll(keepingCapacity: true)
        used = 0
        hasNews = false
        isLooking = false
        isCalling = false
        current = nil
        inFlight = false
        awaited = nil
        hasClosingAnswer = false
        response = nil
        isTooLarge = false
        isCut = false
        isDisplaced = false
        hasHeadBegun = false
        hasLostInput = false
        outputStart = 0
        answers.removeAll(keepingCapacity: true)
        written = 0
        sent = 0
    }

    /// Reads bytes from the socket into the buffer.
    func take(_ count: Int) {
        if used == input.count {
            input.removeAll(keepingCapacity: true)
            used = 0
        }
        input.append(contentsOf: socket.arrived[socket.taken..<socket.taken + count])
        socket.taken += count
        hasNews = true
    }

    func forgetInput() {
        input.removeAll(keepingCapacity: true)
        used = 0
        hasNews = false
    }

    /// Reads the request's number from its path.
    func findCurrent() {
        current = nil
        var number = 0
        for index in head.path {
            let byte = head.bytes[index]
            if byte >= 0x30 && byte <= 0x39 { number = number * 10 + Int(byte - 0x30) }
        }
        current = number
    }
}
