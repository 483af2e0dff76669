import ArgumentParser
import Logging
import Reactor
import Telemetry

/// The start of a service, before anything listens: what it was told, where it logs, and how it ends when it cannot go on.
struct Start: Sendable {
    let service: Service
    let manager: ServiceManager
    let configuration: Configuration
    /// Until the machine or the task has told its own.
    let instanceID: String
    let observability: Observability
    let logger: Logger

    /// Reads the configuration, and logs what it warns of.
    ///
    /// - Parameter warnings: what is to be said besides.
    /// - Throws: the exit status, when what is wrong has been said on standard error.
    init(of service: Service, warnings: [String]) throws(ExitCode) {
        self.service = service
        do throws(ConfigurationErrors) {
            manager = try ServiceManager()
            configuration = try Configuration.read(for: service)
        } catch { throw error.reported() }
        instanceID = configuration.instanceID ?? CurrentProcess.hostName
        do throws(LogSinkError) {
            observability = try Observability(of: service, configuration, instanceID: instanceID)
        } catch {
            var standardError = StandardError()
            print("error: cannot start: \(error)", to: &standardError)
            throw .failure
        }
        logger = observability.makeLogger(service.name)
        for warning in configuration.warnings + warnings { logger.warning("\(warning)") }
    }

    /// Ends the process, and says why on the log: from here on nobody reads another place.
    func fail(_ message: Logger.Message, _ metadata: Logger.Metadata) -> Never {
        logger.critical(message, metadata: metadata)
        observability.close()
        // Not by `exit`, below the hands of loops that turn already.
        CurrentProcess.end(status: 1)
    }

    /// Raises the limit of descriptors, and divides them. To be called before loops, listeners and the pool are made.
    func divideDescriptors() -> DescriptorBudget {
        let budget: DescriptorBudget
        do throws(DescriptorBudget.Shortage) {
            budget = try DescriptorBudget(
                configuration, limit: CurrentProcess.raiseDescriptorLimit(), open: CurrentProcess.openDescriptorCount)
        } catch {
            fail("Cannot start", ["reason": "\(error)"])
        }
        if let warning = budget.warning { logger.warning("\(warning)") }
        return budget
    }

    /// The loops, not yet started, and what ends the waits of threads that connect.
    func makeLoops() -> ([EventLoop], Interruption) {
        do throws(SystemError) {
            let loops = try (0..<configuration.http.workers).map { (index) throws(SystemError) in
                try EventLoop(index: index)
            }
            return (loops, try Interruption())
        } catch {
            fail("Cannot start", ["workers": "\(configuration.http.workers)", "reason": "\(error)"])
        }
    }
}
