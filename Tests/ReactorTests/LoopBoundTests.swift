import Platform
import Reactor
import Testing

struct LoopBoundTests {
    /// An object of a loop: a plain class, which the compiler does not let leave the loop.
    private final class Tally {
        var count = 0
    }

    private static func onLoop(_ body: @escaping @Sendable (EventLoop) async -> Int) async throws -> Int {
        try await withLoop { loop in
            await Task(executorPreference: loop) { await body(loop) }.value
        }
    }

    @Test func `an object of a loop can pass through Sendable closures back to the loop`() async throws {
        let count = try await Self.onLoop { loop in
            let tally = Tally()
            let bound = LoopBound(tally, on: loop)
            let add: @Sendable () -> Void = { bound.value.count += 1 }
            add()
            await loop.perform { bound.value.count += 1 }
            return tally.count
        }
        #expect(count == 2)
    }

    @Test func `an unshared object may be handed to a loop from any thread`() async throws {
        try await withLoop { loop in
            let bound = LoopBound(handing: Tally(), to: loop)
            let count = await loop.perform {
                bound.value.count += 1
                return bound.value.count
            }
            #expect(count == 1)
        }
    }

    @Test func `a task started on the loop runs on the loop`() async throws {
        let count = try await Self.onLoop { loop in
            let tally = Tally()
            loop.task {
                if loop.isCurrent { tally.count += 1 }
                await loop.nextTurn()
                if loop.isCurrent { tally.count += 1 }
            }
            while tally.count < 2 { await loop.nextTurn() }
            return tally.count
        }
        #expect(count == 2)
    }

    @Test func `a loop knows its own thread`() async throws {
        try await withLoop { loop in
            #expect(!loop.isCurrent)
            #expect(await loop.perform { loop.isCurrent })
        }
    }

    #if DEBUG
        @Test func `traps when its value is read on another thread`() async {
            await #expect(processExitsWith: .failure) {
                let loop = try EventLoop(index: 0)
                try loop.start()
                let bound = LoopBound(handing: Tally(), to: loop)
                await loop.perform {}
                print(bound.value.count)
            }
        }

        @Test func `traps when a value is declared a loop's on another thread`() async {
            await #expect(processExitsWith: .failure) {
                let loop = try EventLoop(index: 0)
                try loop.start()
                await loop.perform {}
                _ = LoopBound(Tally(), on: loop)
            }
        }

        @Test func `traps when a loop's timer is armed on another thread`() async {
            await #expect(processExitsWith: .failure) {
                let loop = try EventLoop(index: 0)
                try loop.start()
                await loop.perform {}
                loop.arm(loop.makeDeadline {}, at: .now)
            }
        }
    #endif
}
