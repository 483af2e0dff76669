import ArgumentParser
import Reactor

/// `serve`: the process's own settings and its signals.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves until SIGTERM or SIGINT, then drains.",
        discussion: """
            SIGTERM goes on serving for DRAIN_DELAY_MS with failing health checks, then finishes what is in flight.
            SIGINT skips the delay, and so does either before the start is over. A second signal ends at once with exit
            status 1. SIGHUP is ignored.
            """)

    /// Everything runs on the loops. The main thread starts them and then waits for signals, so that signals are
    /// handled whatever the loops do. An asynchronous `main` would end the main thread in a running process, which
    /// valgrind and some debuggers do not support.
    func run() throws {
        let signals = StopSignals()
        CurrentProcess.ignoreWriteSignals()
        let unused = CurrentProcess.removeLibraryVariables()
        FreedMemory.returnLargeBuffers()
        let (stops, stop) = AsyncStream<Int32>.makeStream()
        let service = try RunningService(.current, warnings: unused)
        Task(executorPreference: service.loops[0]) {
            let status = await service.run(until: stops)
            CurrentProcess.end(status: status)
        }
        stop.yield(signals.next())
        _ = signals.next()
        CurrentProcess.end(status: 1)
    }
}
