extension Life {
    mutating func draw(from dice: inout Dice) {
        clients.removeAll(keepingCapacity: true)
        requests.removeAll(keepingCapacity: true)
        incidents.removeAll(keepingCapacity: true)
        drawBounds(from: &dice)
        // Clients that arrive together share batches; those that arrive one by one find idle connections.
        let crowd: Moment = dice.percent(60) ? 5 * .millisecond : 1500 * .millisecond
        for _ in 0..<dice.within(1...5) { drawClient(within: crowd, from: &dice) }
        let mishaps = [0, 1, 1, 1, 2, 2, 3][dice.below(7)]
        for _ in 0..<mishaps {
            let fault = Fault.allCases[dice.below(Fault.allCases.count)]
            incidents.append(
                Incident(
                    fault: fault, moment: dice.time(100 * .microsecond...2 * .second),
                    duration: dice.time(1 * .millisecond...4 * .second)))
        }
        drainStart = dice.percent(40) ? dice.time(1 * .millisecond...2 * .second) : 4 * .second
        // Long enough for the pool to close connections whose buffers have grown.
        if dice.percent(3) { drainStart = 8 * .second }
    }

    private mutating func drawBounds(from dice: inout Dice) {
        pools = dice.percent(20) ? 2 : 1
        maximum = dice.within(1...3)
        minimum = dice.below(maximum + 1)
        requestTimeout = Moment([150, 500, 2000][dice.below(3)]) * .millisecond
        statementTimeout = Moment([100, 500, 2000][dice.below(3)]) * .millisecond
        waitTimeout = Moment([40, 300, 1000][dice.below(3)]) * .millisecond
        connectTimeout = Moment([100, 1000][dice.below(2)]) * .millisecond
        headerTimeout = Moment([60, 1000][dice.below(2)]) * .millisecond
        bodyTimeout = Moment([60, 1000][dice.below(2)]) * .millisecond
        writeTimeout = Moment([100, 1000][dice.below(2)]) * .millisecond
        keepAliveTimeout = Moment([200, 3000][dice.below(2)]) * .millisecond
        drainDelay = Moment([0, 50, 300][dice.below(3)]) * .millisecond
        drainTimeout = Moment([100, 1000, 3000][dice.below(3)]) * .millisecond
        skipsDelay = dice.percent(15)
        connectionLimit = dice.percent(20) ? dice.within(1...3) : 1000
        acceptQueueLength = dice.percent(20) ? dice.within(1...3) : 128
        acceptBatch = dice.percent(20) ? dice.within(1...2) : 64
        idleLimit = Moment([600, 60_000][dice.below(2)]) * .millisecond
        queueLimit = dice.percent(10) ? 2 : 10_000
        batchLimit = dice.percent(15) ? 2 : 128
        isPooled = dice.percent(15)
        isPrepared = !isPooled && dice.percent(85)
        hidesWarnings = dice.percent(20)
        memoryShortage = dice.percent(6) ? 15 : 0
        isReportLate = dice.percent(10)
        losesAtSending = dice.percent(5) ? [20, 95][dice.below(2)] : 0
        delay = dice.time(20 * .microsecond...5 * .millisecond)
    }

    private mutating func drawClient(within crowd: Moment, from dice: inout Dice) {
        var client = Client()
        client.start = dice.time(50 * .microsecond...crowd)
        client.first = requests.count
        client.count = dice.within(1...5)
        client.farewell = dice.percent(50) ? .closes : Farewell.allCases[dice.below(Farewell.allCases.count)]
        client.end = client.start + dice.time(100 * .microsecond...2 * .second)
        client.delay = dice.time(10 * .microsecond...3 * .millisecond)
        client.window = dice.percent(85) ? 262_144 : dice.within(50...1000)
        client.readPause = dice.percent(85) ? client.delay : dice.time(1 * .millisecond...400 * .millisecond)
        let isPipelining = dice.percent(40)
        for index in 0..<client.count {
            requests.append(drawRequest(isPipelined: index > 0 && isPipelining && dice.percent(80), from: &dice))
        }
        clients.append(client)
    }

    private func drawRequest(isPipelined: Bool, from dice: inout Dice) -> Request {
        var request = Request()
        request.kind = Self.kinds[dice.below(Self.kinds.count)]
        request.isPipelined = isPipelined
        switch request.kind {
        case .create, .update, .transaction:
            request.body = dice.percent(80) ? .length(dice.within(1...60)) : .chunked(20)
        case .refused, .unknown: request.body = drawRefusedBody(from: &dice)
        case .root, .find, .list, .task, .malformed: break
        }
        if request.body != .none && dice.percent(2) { request.body = .tooLarge }
        if request.body != .none && dice.percent(4) { request.body = .unfinished(50) }
        request.expectsContinue = request.body != .none && dice.percent(8)
        request.isLast = dice.percent(5)
        request.pause = isPipelined && dice.percent(80) ? 0 : dice.time(10 * .microsecond...500 * .millisecond)
        if dice.percent(12) {
            request.pieces = dice.within(2...4)
            request.piecePause = dice.time(10 * .microsecond...200 * .millisecond)
        }
        request.duration = dice.time(100 * .microsecond...3 * .second)
        request.statement.cost =
            dice.percent(88)
            ? dice.time(20 * .microsecond...5 * .millisecond) : dice.time(5 * .millisecond...4 * .second)
        switch dice.below(100) {
        case 0..<8: request.statement.verdict = .fails
        case 8..<11: request.statement.verdict = .failsAtCommit
        case 11..<14: request.statement.verdict = .conflicts
        default: request.statement.verdict = .succeeds
        }
        if request.kind == .create && dice.percent(3) { request.statement.parameterBytes = 70_000 }
        request.statement.fallsBack = request.kind == .list && dice.percent(10)
        request.statement.rows = request.kind == .list ? [20, 100, 600][dice.below(3)] : 1
        return request
    }

    private func drawRefusedBody(from dice: inout Dice) -> Body {
        switch dice.below(20) {
        case 0..<6: .none
        case 6..<12: .length(dice.within(1...200))
        case 12..<15: .chunked(dice.within(1...200))
        case 15: .badChunk
        case 16: .length(65_536 + dice.below(3) - 1)
        case 17: .chunked(65_000 + dice.below(1000))
        default: .length(100)
        }
    }

    /// The relative frequency of each kind.
    private static let kinds: [Kind] =
        Array(repeating: .root, count: 12) + Array(repeating: .find, count: 30) + Array(repeating: .list, count: 8)
        + Array(repeating: .create, count: 24) + Array(repeating: .update, count: 8)
        + Array(repeating: .transaction, count: 4) + Array(repeating: .task, count: 4)
        + Array(repeating: .unknown, count: 3) + Array(repeating: .refused, count: 6)
        + Array(repeating: .malformed, count: 1)
}
