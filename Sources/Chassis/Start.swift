import ArgumentParser
import Logging
import Reactor
import Telemetry

/// The start of a service before it listens: its configuration, its log, and how it ends after an error.
struct Start: Sendable {
    let service: Service
    let manager: ServiceManager
    let configuration: Configuration
    /// Used until the machine's or the task's id is known.
    let instanceID: String
    let observability: Observability
    let logger: Logger

    /// Reads the configuration, and logs its warnings.
    ///
    /// - Parameter warnings: logged in addition.
    /// - Throws: the exit status, when the error has been written to standard error.
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

    /// Ends the process, with the reason in the log only: no other output is read from here on.
    func fail(_ message: Logger.Message, _ metadata: Logger.Metadata) -> Never {
        logger.critical(message, metadata: metadata)
        observability.close()
        // Not by `exit`, because loops may be running.
        CurrentProcess.end(status: 1)
    }

    /// Raises the limit of descriptors, and divides them. Call it before loops, listeners and the pool are created.
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

    /// The loops, not yet started, and the interruption of connecting threads.
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
