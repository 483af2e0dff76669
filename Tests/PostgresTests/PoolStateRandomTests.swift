import Platform
import Testing

@testable import Postgres

/// A pool with a server and callers that act in random order.
struct PoolStateRandomTests {
    /// The state outside of the pool, derived from its actions.
    private struct World {
        var model: PoolModel
        var generator: SeededGenerator
        var connecting: Set<Int> = []
        var idle: Set<Int> = []
        var ending: Set<Int> = []
        /// Statements in flight by connection.
        var inUse: [Int: [PoolState.Request]] = [:]
        var leased: Set<Int> = []
        var known: Set<Int> = []
        var cancelling: Set<Int> = []
        var open: [PoolState.Request.ID: PoolState.Request] = [:]
        var openLeases = 0
        /// Connections that broke during sending; statements sent earlier are in `mayHaveRun`.
        var breaking: Set<Int> = []
        /// Statements on a connection when it was lost: the server may have run them.
        var mayHaveRun: Set<PoolState.Request.ID> = []
        /// When each timer is armed to fire.
        var moments: [PoolState.Timer: Instant] = [:]

        init(seed: UInt64) {
            generator = SeededGenerator(state: seed)
            let maximum = Int.random(in: 1...8, using: &generator)
            model = PoolModel(Int.random(in: 0...maximum, using: &generator), maximum)
        }

        var live: Set<Int> { connecting.union(idle).union(inUse.keys) }

        mutating func tell(_ event: PoolState.Event) throws {
            for action in model.tell(event) { try perform(action) }
        }

        mutating func perform(_ action: PoolState.Action) throws {
            switch action {
            case .answer(let requests):
                for request in requests { try #require(open.removeValue(forKey: request.id) != nil, "answered twice") }
                if Int.random(in: 0..<4, using: &generator) == 0, case .up = model.state.availability { try submit() }
            case .fail(let request, _):
                try #require(open.removeValue(forKey: request.id) != nil, "answered twice")
            case .undo(let id): try #require(open[id] != nil, "undone after it was answered")
            case .lend(let id, to: _):
                openLeases -= 1
                try #require(idle.remove(id) != nil || inUse[id]?.isEmpty == true)
                inUse[id] = []
                leased.insert(id)
            case .refuse: openLeases -= 1
            case .open(let id):
                try #require(known.insert(id).inserted, "a number was given twice")
                connecting.insert(id)
            case .send(let batch, on: let id): try send(batch, on: id)
            case .requestCancel(let id): try #require(cancelling.insert(id).inserted)
            case .check(let id, let error):
                if idle.contains(id), Int.random(in: 0..<4, using: &generator) == 0 {
                    try tell(.broke(id, error, unsent: 0))
                }
            case .close(let id):
                if !breaking.contains(id) { for request in inUse[id] ?? [] { mayHaveRun.insert(request.id) } }
                idle.remove(id)
                inUse[id] = nil
                leased.remove(id)
                if cancelling.contains(id) { ending.insert(id) }
            case .arm(let timer, at: let moment): moments[timer] = model.state.moment(of: timer) ?? moment
            case .disarm(let timer): moments[timer] = model.state.moment(of: timer)
            case .tellSiblings, .report: break
            }
        }

        private mutating func send(_ batch: PoolState.Batch, on id: Int) throws {
            try #require(idle.contains(id) || inUse[id] != nil, "sent on a connection that is gone")
            try #require(!cancelling.contains(id), "sent while a cancel request is on its way")
            if idle.remove(id) != nil { inUse[id] = [] }
            try #require(inUse[id]?.isEmpty == true || leased.contains(id))
            for request in batch.requests {
                try #require(open[request.id] != nil, "sent after it was answered")
                try #require(request.isOfTransaction == leased.contains(id))
                try #require(!request.isWrite || !mayHaveRun.contains(request.id), "a write may have run twice")
                inUse[id]?.append(request)
            }
            switch Int.random(in: 0..<12, using: &generator) {
            case 0:
                let unsent = Int.random(in: 0...batch.requests.count, using: &generator)
                for request in (inUse[id] ?? []).dropLast(unsent) { mayHaveRun.insert(request.id) }
                breaking.insert(id)
                try tell(.broke(id, .connectionLost, unsent: unsent))
            case 1 where !batch.requests[0].isOfTransaction:
                inUse[id] = nil
                idle.insert(id)
                try tell(.noMemory(id))
            default: break
            }
        }

        mutating func step() throws {
            model.pass(.nanoseconds(Int64.random(in: 0...20_000_000, using: &generator)))
            switch Int.random(in: 0..<14, using: &generator) {
            case 0, 1: try submit()
            case 2:
                openLeases += 1
                try tell(.leaseWanted(.init(id: UInt64.random(in: 0 ... .max, using: &generator), enqueued: model.now)))
            case 3, 4: try decideAttempt()
            case 5, 6, 7: try hear()
            case 8: try breakOne()
            case 9: try fireTimers()
            case 10:
                guard let id = cancelling.sorted().randomElement(using: &generator) else { return }
                cancelling.remove(id)
                ending.remove(id)
                try tell(.cancelEnded(id, isOverdue: Bool.random(using: &generator)))
            case 11: try giveBack()
            case 12: try submitInTransaction()
            default: try tell(Bool.random(using: &generator) ? .siblingOpened : .siblingRetired(.readOnly))
            }
            try endIteration()
        }

        private mutating func submit() throws {
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                let kind = [Statement.Kind.read, .insert, .update].randomElement(using: &generator) ?? .read
                let limit: Duration? = Bool.random(using: &generator) ? .milliseconds(20) : nil
                let request = model.request(kind, within: limit)
                open[request.id] = request
                try tell(.submitted(request, hasMemory: true))
            }
        }

        private mutating func decideAttempt() throws {
            guard let id = connecting.sorted().randomElement(using: &generator) else { return }
            connecting.remove(id)
            if Bool.random(using: &generator) {
                idle.insert(id)
                try tell(.opened(id, took: .zero, isPooled: Bool.random(using: &generator)))
                try #require(model.state.availability == .up)
            } else {
                let jitter = Double.random(in: 0...1, using: &generator)
                try tell(.openFailed(id, .connectFailed("no"), took: .zero, jitter: jitter))
            }
        }

        /// The first transaction on a connection ends, with success or failure.
        private mutating func hear() throws {
            guard let id = inUse.keys.sorted().randomElement(using: &generator), let flight = inUse[id], !flight.isEmpty
            else { return }
            var count = 1
            while count < flight.count, !flight[count - 1].isApart(from: flight[count]) { count += 1 }
            let rest = Array(flight.dropFirst(count))
            inUse[id] = rest
            let errors: [DatabaseError] = [.duplicate, .cancelled, .readOnly, .stalePlan, .missingTable]
            var heard: [PoolState.Heard] = []
            if Int.random(in: 0..<3, using: &generator) == 0, let error = errors.randomElement(using: &generator) {
                let failed = Int.random(in: 0..<count, using: &generator)
                heard.append(.failed([flight[failed].id], error, isPrepared: true))
            }
            heard.append(.synced(count: count, isComplete: true, wasWarned: false))
            if rest.isEmpty && !leased.contains(id) && !cancelling.contains(id) {
                inUse[id] = nil
                idle.insert(id)
            }
            try tell(.heard(id, heard, isBusy: !rest.isEmpty, hasGrown: false))
        }

        private mutating func breakOne() throws {
            guard let id = Set(inUse.keys).union(idle).sorted().randomElement(using: &generator) else { return }
            for request in inUse[id] ?? [] { mayHaveRun.insert(request.id) }
            try tell(.broke(id, .connectionLost, unsent: 0))
        }

        private mutating func fireTimers() throws {
            for timer in [PoolState.Timer.wait, .grow, .retry, .idle, .shrink] {
                guard let moment = model.state.moment(of: timer), moment <= model.now else { continue }
                try tell(.timer(timer))
            }
            for id in inUse.keys.sorted() { try tell(.timer(.connection(id))) }
        }

        private mutating func giveBack() throws {
            guard let id = leased.sorted().randomElement(using: &generator), inUse[id]?.isEmpty == true else { return }
            leased.remove(id)
            if !cancelling.contains(id) {
                inUse[id] = nil
                idle.insert(id)
            }
            try tell(.leaseReturned(id, isInTransaction: Int.random(in: 0..<5, using: &generator) == 0))
        }

        private mutating func submitInTransaction() throws {
            guard let id = leased.sorted().randomElement(using: &generator) else { return }
            let request = model.request(.read, within: .milliseconds(30))
            open[request.id] = request
            try tell(.submittedOn(id, request))
        }

        private mutating func endIteration() throws {
            while model.state.hasWork { try tell(.iterationEnded) }
            // A connection whose cancel request has ended may have become idle.
            for (id, use) in model.state.uses {
                if case .idle = use, inUse[id]?.isEmpty == true {
                    inUse[id] = nil
                    idle.insert(id)
                }
            }
            // Without memory for a batch, a retry is scheduled soon.
            let isLookedAt = model.state.moment(of: .grow).map { $0 <= model.now + PoolState.memoryPause } ?? false
            let isServed = model.state.waiting.isEmpty && model.state.waitingLeases.isEmpty
            try #require(idle.isEmpty || isServed || isLookedAt, "something waits while a connection is idle")
            for timer in [PoolState.Timer.wait, .grow] {
                guard let moment = model.state.moment(of: timer) else { continue }
                try #require(moments[timer] == moment, "\(timer) is armed for another moment than the state has")
            }
            try check()
        }

        private func check() throws {
            let (state, limits) = (model.state, model.state.limits)
            // At most one more than the maximum, beside those for which the server may still work.
            try #require(state.uses.count <= limits.maximum + (live.count < 2 && !ending.isEmpty ? 1 : 0))
            try #require(live.count <= limits.maximum)
            try #require(Set(state.uses.keys) == live.union(ending))
            for (id, use) in state.uses {
                switch use {
                case .connecting: try #require(connecting.contains(id))
                case .idle: try #require(idle.contains(id) || inUse[id]?.isEmpty == true)
                case .batch: try #require(inUse[id] != nil && !leased.contains(id))
                case .leased: try #require(leased.contains(id))
                case .ending: try #require(ending.contains(id))
                }
            }
            try #require(state.openCount == state.idleCount + state.inUseCount)
            if case .down = state.availability {
                try #require(state.openCount == 0 && state.waiting.isEmpty && openLeases == 0)
            }
            try #require(openLeases == state.waitingLeases.count)
        }
    }

    @Test(arguments: 1...20)
    func `keeps its invariants over thousands of random events`(seed: UInt64) throws {
        var world = World(seed: seed)
        try world.tell(.started)
        for _ in 0..<5000 { try world.step() }
        try world.tell(.closing)
        try world.tell(.closed)
        #expect(world.open.isEmpty && world.openLeases == 0)
        #expect(world.model.state.openCount == 0)
    }
}
