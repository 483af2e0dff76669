import Glibc
import Platform
import Reactor
import ServiceLifecycleTestKit
import Synchronization
import Testing

@testable import Vial

/// Tests that drive a server over real sockets. Serialized, because their time limits are very short.
@Suite(.serialized, .timeLimit(.minutes(1))) enum OverSockets {}

/// A server on separate loops, for one test.
struct TestServer: Sendable {
    let port: UInt16
    let drain: Drain
    let events: Events
    let stop: @Sendable () -> Void

    func connect(window: Int32? = nil) throws -> Client { try Client(port: port, window: window) }
}

/// Runs `body` on a thread that may block, while a server runs; then stops the server and waits for its end.
func withServer(
    _ app: App, _ options: ServerOptions = .loopback, loops count: Int = 1, adopting inherited: Int32? = nil,
    _ body: @escaping @Sendable (TestServer) async throws -> Void
) async throws {
    let loops = try (0..<count).map { try EventLoop(index: $0) }
    let clientLoop = try EventLoop(index: count)
    let drain = Drain()
    let events = Events()
    let server = try Server(
        on: loops, options: options, adopting: inherited, drain: drain, trusts: { _ in true }, makeApp: { _ in app },
        observe: { _ in { events.record($0) } })
    for loop in loops + [clientLoop] { try loop.start() }
    defer { for loop in loops + [clientLoop] { loop.stop() } }

    try await testGracefulShutdown { trigger in
        let running = Task(executorPreference: loops[0]) { try await server.run() }
        let test = TestServer(port: server.port, drain: drain, events: events, stop: trigger.triggerGracefulShutdown)
        let result: Result<Void, any Error>
        do { result = .success(try await withTaskExecutorPreference(clientLoop) { try await body(test) }) } catch {
            result = .failure(error)
        }
        drain.skipDelay()
        trigger.triggerGracefulShutdown()
        try await running.value
        try result.get()
    }
}

/// An instant so many milliseconds after the clock's beginning.
func instant(_ milliseconds: Int) -> Instant { Instant(nanoseconds: UInt64(milliseconds) * 1_000_000) }

extension ServerOptions {
    /// A port that the kernel chooses, and a drain timeout below a test's time limit.
    static var loopback: ServerOptions {
        ServerOptions().with(\.host, "127.0.0.1").with(\.port, 0).with(\.drainTimeout, .milliseconds(2000))
    }

    func with<Value>(_ option: WritableKeyPath<ServerOptions, Value>, _ value: Value) -> ServerOptions {
        var options = self
        options[keyPath: option] = value
        return options
    }
}

/// What a server reported, abbreviated.
enum Event: Equatable, Sendable {
    case accepted, closed, started, abandoned
    case completed(String, Int)
    case refused(String)
    case failed
    case limitReached(Int)
    case drain(Drain.Phase)
    case drainTimedOut(Int)

    init(_ event: ServerEvent) {
        self =
            switch event {
            case .accepted: .accepted
            case .closed: .closed
            case .started: .started
            case .completed(let request, let status, _, _, _): .completed(request.path, status)
            case .abandoned: .abandoned
            case .refused(let refusal): .refused(refusal.description)
            case .acceptFailed, .outOfDescriptors: .failed
            case .connectionLimitReached(let limit): .limitReached(limit)
            case .drain(let phase): .drain(phase)
            case .drainTimedOut(let open): .drainTimedOut(open)
            }
    }
}

/// The events of a server, and the tasks that wait for one.
final class Events: Sendable {
    private struct State {
        var all: [Event] = []
        var waiting: [(event: Event, count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var all: [Event] { state.withLock(\.all) }

    func count(_ event: Event) -> Int { all.count { $0 == event } }

    func record(_ event: ServerEvent) {
        let event = Event(event)
        state.withLock { state in
            state.all.append(event)
            let count = state.all.count { $0 == event }
            state.waiting.removeAll { waiting in
                guard waiting.event == event && waiting.count <= count else { return false }
                waiting.continuation.resume()
                return true
            }
        }
    }

    /// Returns once `event` has been reported `count` times.
    func wait(for event: Event, count: Int = 1) async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.all.count(where: { $0 == event }) >= count {
                    continuation.resume()
                } else {
                    state.waiting.append((event, count, continuation))
                }
            }
        }
    }
}

/// Blocks a handler until a test opens the gate.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func open() {
        state.withLock { state in
            state.isOpen = true
            for continuation in state.waiting { continuation.resume() }
            state.waiting = []
        }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.isOpen { continuation.resume() } else { state.waiting.append(continuation) }
            }
        }
    }
}

/// Stops a loop within an iteration, from a handler, while the test does something.
final class Interlude: Sendable {
    private let begun = Atomic(0)
    private let ended = Atomic(0)

    /// Called on the loop: returns when the test has finished this interruption, or after 10 s.
    func play() {
        let number = begun.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
        wait { self.ended.load(ordering: .acquiring) >= number }
    }

    /// Called by the test, which may block: runs `body` during the `number`th interruption, from 1.
    func perform(_ number: Int, _ body: () throws -> Void) rethrows {
        wait { self.begun.load(ordering: .acquiring) >= number }
        defer { ended.store(number, ordering: .releasing) }
        try body()
    }

    private func wait(until isOver: () -> Bool) {
        let limit = Instant.now + .nanoseconds(10_000_000_000)
        while !isOver() && Instant.now < limit { sched_yield() }
    }
}
