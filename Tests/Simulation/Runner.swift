import Glibc
import Synchronization

/// Runs schedules on every core, and stops at the first that breaks an invariant.
struct Runner {
    struct Result {
        var coverage = Coverage()
        var failure: (seed: UInt64, failure: World.Failure)?
    }

    /// What a worker takes at a time: enough that the others are seldom in its way.
    private static let blockSize = 64

    let from: UInt64
    let schedules: Int

    func run() async -> Result {
        let workers = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        Trap.install(workers: workers)
        let progress = Progress()
        return await withTaskGroup(of: Result.self) { group in
            for worker in 0..<workers { group.addTask { work(worker, progress) } }
            var sum = Result()
            for await result in group {
                sum.coverage.add(result.coverage)
                if let failure = result.failure, failure.seed < sum.failure?.seed ?? .max { sum.failure = failure }
            }
            return sum
        }
    }

    private final class Progress: Sendable {
        let taken = Atomic<Int>(0)
        let hasFailed = Atomic<Bool>(false)
    }

    private func work(_ worker: Int, _ progress: Progress) -> Result {
        var result = Result()
        let world = World()
        while !progress.hasFailed.load(ordering: .relaxed) {
            let first = progress.taken.wrappingAdd(Self.blockSize, ordering: .relaxed).oldValue
            if first >= schedules { break }
            for index in first..<min(first + Self.blockSize, schedules) {
                let seed = from &+ UInt64(index)
                Trap.begin(seed, worker: worker)
                world.prepare(seed: seed)
                world.run()
                result.coverage.add(world)
                if let failure = world.failure {
                    result.failure = (seed, failure)
                    progress.hasFailed.store(true, ordering: .relaxed)
                    break
                }
            }
        }
        return result
    }
}
