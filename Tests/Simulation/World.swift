import HTTP1
import Postgres
import Vial

/// One schedule: the service's state machines, its clients, the network and PostgreSQL in virtual time.
///
/// All randomness comes from the seed, so the same seed gives the same schedule, step by step.
final class World {
    enum Event {
        case clientActs(Int)
        case clientTakes(Int)
        case clientEnds(Int)
        case batchArrives(backend: Int, session: Int, count: Int)
        case replyArrives(backend: Int, session: Int, Backend.Reply)
        case workEnds(backend: Int, number: Int)
        case connectEnds(pool: Int, connection: Int, started: Moment, isOverdue: Bool)
        case cancelArrives(backend: Int, session: Int)
        case cancelEnds(pool: Int, connection: Int, isOverdue: Bool)
        case cancelWaits(pool: Int, connection: Int)
        case taskEnds(call: Int)
        case incidentBegins(Int)
        case standbyReturns
        case drains
        case poolsClose
        case loopResumes
    }

    /// The current faults of the simulated server and of the network to it.
    struct Server {
        var downUntil: Moment = 0
        var refusesUntil: Moment = 0
        var crowdedUntil: Moment = 0
        var muteUntil: Moment = 0
        var deafUntil: Moment = 0
        var heldUntil: Moment = 0
        var readOnlyUntil: Moment = 0
        var stalledUntil: Moment = 0
        var slowUntil: Moment = 0
    }

    var seed: UInt64 = 0
    var dice = Dice(seed: 0)
    var life = Life()
    var now: Moment = 0
    var queue = EventQueue<Event>()
    var server = Server()
    var backends: [Backend] = []
    var pools: [PoolDriver] = []
    var clients: [Client] = []
    var clientCount = 0
    var statements: [StatementRecord] = []
    var groups: [Int] = []
    var calls: [Call] = []
    /// Clients whose connections yielded to the others.
    var yielded: [Int] = []
    /// The phase of the drain.
    var phase = Drain.Phase.serving
    var times = Exchange.Times(keepAlive: .zero, head: .zero, body: .zero, response: .zero, write: .zero)
    let limits = Limits()
    var course = Drain.Course(delay: .zero, timeout: .zero)
    var drainStart: Moment = 0
    var closingStart: Moment = 0
    var poolsClosing: Moment = 0
    var openConnections = 0
    /// One per loop.
    var acceptors: [Acceptor] = []
    /// Number of acceptors that still accept clients from their queue while the drain waits.
    var closingAcceptors = 0
    /// Connections of clients over all schedules; numbers them.
    var connectionCount = 0
    /// When a loop last looked for expired deadlines.
    var lastLook: Moment = 0
    var requestCount = 0
    var statementCount = 0
    var seen = SightSet()
    var steps = 0
    var failure: Failure?
    /// The process is suspended until then.
    var pausedUntil: Moment = 0
    /// How long the process was suspended in total.
    var pausedTime: Moment = 0
    /// Prints a line for every step, if set.
    var trace: ((String) -> Void)?

    /// A broken invariant.
    struct Failure {
        let invariant: Invariant
        let text: String
        let step: Int
        let moment: Moment
    }

    @inline(__always)
    func see(_ sight: Sight) {
        seen.insert(sight)
    }

    @inline(__always)
    func note(_ text: @autoclosure () -> String) {
        if trace != nil { write(text()) }
    }

    @inline(never)
    private func write(_ text: String) {
        trace?(text)
    }

    /// Ends the schedule at the first broken invariant.
    @inline(never)
    func fail(_ invariant: Invariant, _ text: String) {
        if failure != nil { return }
        failure = Failure(invariant: invariant, text: text, step: steps, moment: now)
        note("INVARIANT \(invariant): \(text)")
    }
}

/// What must hold after every step.
enum Invariant: String, CaseIterable {
    case wrongAnswer, answeredTwice, missing, order, ranAgain, twice, lostWrite, unsynced, bounds, idleWhileWaiting,
        late
    case drain, dropped, noTimer, status, cancelRace, early, retired
}
