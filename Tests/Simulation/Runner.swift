import Glibc
import Synchronization

/// Runs schedules on all cores, and stops once `failureLimit` of them have broken an invariant.
struct Runner {
    struct Result {
        var coverage = Coverage()
        var failures: [(seed: UInt64, failure: World.Failure)] = []
    }

    /// How many schedules a worker takes at a time: enough that the workers rarely contend.
    private static let blockSize = 64

    let from: UInt64
    let schedules: Int
    let failureLimit: Int

    func run() async -> Result {
        let workers = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        Trap.install(workers: workers)
        let progress = Progress()
        return await withTaskGroup(of: Result.self) { group in
            for worker in 0..<workers { group.addTask { work(worker, progress) } }
            var sum = Result()
            for await result in group {
                sum.coverage.add(result.coverage)
                sum.failures += result.failures
            }
            sum.failures.sort { $0.seed < $1.seed }
            return sum
        }
    }

    private final class Progress: Sendable {
        let taken = Atomic<Int>(0)
        let failures = Atomic<Int>(0)
    }

    private func work(_ worker: Int, _ progress: Progress) -> Result {
        var result = Result()
        let world = World()
        while progress.failures.load(ordering: .relaxed) < failureLimit {
            let first = progress.taken.wrappingAdd(Self.blockSize, ordering: .relaxed).oldValue
            if first >= schedules { break }
            for index in first..<min(first + Self.blockSize, schedules) {
                let seed = from &+ UInt64(index)
                Trap.begin(seed, worker: worker)
                world.prepare(seed: seed)
                world.run()
                result.coverage.add(world)
                if let failure = world.failure {
                    result.failures.append((seed, failure))
                    progress.failures.wrappingAdd(1, ordering: .relaxed)
                    if failureLimit == 1 { break }
                }
            }
        }
        return result
    }
}
