import ArgumentParser
import Glibc
import Logging
import Platform
import Postgres
import Reactor

/// `migrate`: brings the schema up to date and ends.
struct Migrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Applies pending migrations and ends.",
        discussion: """
            Safe to run from many machines at once. Exits 0 when the schema is current, else 1. SIGTERM or SIGINT ends it: the
            database stops what it is doing and undoes it. A second signal ends it at once. SIGHUP is ignored.
            """)

    /// Further attempts start for this long while a table is in use, each after this pause, in which the clients that
    /// wait for the table get it.
    private static let attemptSeconds: UInt64 = 30
    private static let attemptPauseSeconds: UInt32 = 1
    /// Time for the database to confirm the cancellation after a signal.
    private static let stopSeconds: UInt32 = 2

    /// A separate thread does the work; the main thread waits for signals, and for the end of the work, which ends the
    /// process.
    func run() throws {
        let service = Service.current
        let signals = StopSignals()
        _ = CurrentProcess.removeLibraryVariables()
        let configuration: Configuration
        do { configuration = try Configuration.read(for: service, serves: false) } catch {
            throw error.reported()
        }
        CurrentProcess.ignoreWriteSignals()
        let interruption: Interruption
        do throws(SystemError) { interruption = try Interruption() } catch { throw Self.failure("\(error)") }
        do throws(Thread.NoThread) {
            try Thread.start {
                CurrentProcess.end(status: Self.migrate(service, configuration, unless: interruption))
            }
        } catch {
            throw Self.failure("no thread could be started")
        }
        _ = signals.next()
        interruption.begin()
        do throws(Thread.NoThread) { try Thread.start { Self.endLate() } } catch { CurrentProcess.end(status: 1) }
        _ = signals.next()
        CurrentProcess.end(status: 1)
    }

    /// - Returns: the exit status.
    private static func migrate(
        _ service: Service, _ configuration: Configuration, unless interruption: Interruption
    ) -> Int32 {
        do throws(DatabaseError) {
            let silent = Logger(label: service.name) { _ in SwiftLogNoOpLogHandler() }
            let credentials = DatabaseCredentials(of: service, configuration, logger: silent)
            let connector = Connector(
                options: credentials.options, renew: credentials.renew, interruption: interruption)
            let session = try connector.session()
            if let encoding = session.serverEncoding, encoding != "UTF8" {
                var standardError = StandardError()
                print("warning: the database's encoding is \(encoding), not UTF8", to: &standardError)
            }
            let applied = try apply(Migrations(service), to: session)
            try LaterChanges(service).apply(to: session) { sql, error in
                guard let error else { return }
                var standardError = StandardError()
                print("warning: \(sql): \(error)", to: &standardError)
            }
            print(applied.isEmpty ? "The schema is current." : "Applied: \(applied.joined(separator: ", "))")
            CurrentProcess.flushOutput()
            return 0
        } catch {
            _ = failure(interruption.hasBegun ? "stopped by a signal" : "\(error)")
            return 1
        }
    }

    private static func apply(_ migrations: Migrations, to session: Session) throws(DatabaseError) -> [String] {
        let end = Instant.now + .seconds(attemptSeconds)
        while true {
            do throws(DatabaseError) { return try migrations.apply(to: session) } catch {
                guard error.isLockTimeout, Instant.now <= end else { throw error }
                _ = sleep(attemptPauseSeconds)
            }
        }
    }

    /// Ends the process when its work cannot be interrupted: a name is being resolved, or a secret read.
    private static func endLate() {
        _ = sleep(stopSeconds)
        _ = failure("stopped by a signal")
        CurrentProcess.end(status: 1)
    }

    private static func failure(_ reason: String) -> ExitCode {
        var standardError = StandardError()
        print("error: \(reason)", to: &standardError)
        return .failure
    }
}
