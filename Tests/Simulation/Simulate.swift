import ArgumentParser
import Glibc

/// The command line.
@main
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Runs the service's deciders against clients, a network and a PostgreSQL that exist in virtual time alone.")

    /// Schedules have consecutive seeds, so the first seed and the count describe a run.
    @Option(help: "How many schedules to run.")
    var schedules = 100_000

    @Option(help: "The first schedule's seed.")
    var from: UInt64 = 1

    @Option(help: "Runs the schedule of this seed alone, and prints it step by step.")
    var seed: UInt64?

    @Option(help: "Stops after this many schedules that broke an invariant.")
    var failures = 1

    @Flag(help: "Passes although some situation did not come about, as in a short run.")
    var allowUnseen = false

    func validate() throws {
        guard schedules > 0 else { throw ValidationError("--schedules is at least 1") }
    }

    func run() async throws {
        if let seed { return try replay(seed) }
        let start = Seconds.now
        let result = await Runner(from: from, schedules: schedules, failureLimit: failures).run()
        let seconds = Seconds.now - start
        report(result.coverage, seconds)
        for (seed, failure) in result.failures.dropFirst() {
            print("seed \(seed): \(failure.invariant): \(failure.text)")
        }
        if let failure = result.failures.first {
            print("seed \(failure.seed) broke an invariant; this is its schedule:")
            _ = Self.run(failure.seed, printing: true)
            print("replay it with: scripts/simulate --seed \(failure.seed)")
            throw ExitCode.failure
        }
        let missing = result.coverage.missing
        if !missing.isEmpty && !allowUnseen {
            print("no schedule brought about: \(missing.map { "\($0)" }.joined(separator: ", "))")
            throw ExitCode.failure
        }
        print("every invariant holds")
    }

    private func replay(_ seed: UInt64) throws {
        Trap.install(workers: 1)
        Trap.begin(seed, worker: 0)
        guard let failure = Self.run(seed, printing: true) else { return print("seed \(seed): every invariant holds") }
        print("seed \(seed), step \(failure.step): \(failure.invariant): \(failure.text)")
        throw ExitCode.failure
    }

    private static func run(_ seed: UInt64, printing: Bool) -> World.Failure? {
        let world = World()
        if printing {
            // Flushed, so that the steps before a trap are printed.
            world.trace = { text in
                print(text)
                fflush(nil)
            }
        }
        world.prepare(seed: seed)
        if printing { print(world.life.description) }
        world.run()
        return world.failure
    }

    private func report(_ coverage: Coverage, _ seconds: Double) {
        let rate = Int(Double(coverage.schedules) / seconds)
        print(
            "\(coverage.schedules) schedules from seed \(from), \(coverage.steps) steps, \(coverage.requests) requests,",
            "\(coverage.statements) statements in \(Int(seconds * 10) / 10) s: \(rate) schedules a second")
        let width = Sight.allCases.reduce(0) { max($0, "\($1)".count) }
        for sight in Sight.allCases {
            let name = "\(sight)"
            print("  \(name)\(String(repeating: " ", count: width - name.count))  \(coverage.counts[sight.rawValue])")
        }
    }
}

/// The machine's clock, used only to report the rate.
enum Seconds {
    static var now: Double {
        var time = timespec()
        // `time` outlives the call.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
