import HTTP1
import Vial

/// One client and its connection: what the client does and has, and the performer's part of the service for it.
final class Client {
    /// An answer, or a part of one, that the service has written.
    struct Answer {
        /// Of `Life.requests`; nil when the service could not read what it answers.
        var request: Int?
        var status = 0
        var closes = false
        var isContinue = false
        /// Of `World.calls`.
        var call: Int?
        var size = 180
        /// Where it ends in all that was written.
        var end = 0
    }

    let index: Int

    // MARK: the client's side

    var plan = Life.Client()
    var hasConnected = false
    /// Which of its requests is being sent, or comes next.
    var next = 0
    /// The present request's bytes, of which so many were sent, where its head ends, and how large a piece is.
    var bytes: [UInt8] = []
    var sentBytes = 0
    var headEnd = 0
    var pieceSize = 0
    /// Requests of which something was sent, and those of them that were answered.
    var begun = 0
    var answered = 0
    /// Those of them of which something was sent before the service closed its side.
    var begunBeforeShut = 0
    var isWaitingForAnswers = false
    var isWaitingForContinue = false
    /// Told that the connection ends: nothing more is sent.
    var isTold = false
    /// By an answer that says so.
    var hasLastAnswer = false
    /// It has closed or reset its side.
    var isGone = false
    var hasFinished = false
    var isTakeScheduled = false
    /// Of all that was written, so much was taken, and so many answers.
    var taken = 0
    var takenAnswers = 0

    // MARK: the service's side

    var socket = Socket()
    var exchange = Exchange(
        at: 0, drain: .serving, Exchange.Times(keepAlive: 0, head: 0, body: 0, response: 0, write: 0))
    var timer = Timer()
    var reader = RequestReader(limits: Limits())
    var head = RequestHead()
    var body: [UInt8] = []
    /// Received; the first `used` bytes are done with.
    var input: [UInt8] = []
    var used = 0
    /// Something came, or was answered, since the reader last asked for more.
    var hasNews = false
    var isLooking = false
    var isCalling = false
    /// The request that was read last.
    var current: Int?
    var inFlight = false
    var admitted: Moment = 0
    var hasClosingAnswer = false
    var response: Answer?
    /// The head of the request in flight declares a larger body than is taken.
    var isTooLarge = false
    var isCut = false
    var isDisplaced = false
    /// When it was accepted, or answered last.
    var idleSince: Moment = 0
    var hasHeadBegun = false
    var headBegan: Moment = 0
    /// Of the present body, so many bytes were dropped.
    var droppedOfBody = 0
    var hasLostInput = false
    var answers: [Answer] = []
    /// Where the output begins that is in the service's buffer.
    var outputStart = 0
    var written = 0
    var sent = 0
    /// When the service closed its side.
    var shutAt: Moment = 0
    /// Tells its connection from those of other schedules.
    var connection = 0

    init(index: Int) {
        self.index = index
    }

    func begin(_ plan: Life.Client, connection: Int) {
        self.plan = plan
        self.connection = connection
        hasConnected = false
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

    /// Takes so many bytes out of the socket.
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

    /// Finds the number that the path of the request carries that was read last.
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
