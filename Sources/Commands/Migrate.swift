import ArgumentParser
import Items
import Logging
import Postgres

/// `items migrate`: brings the schema up to date and ends.
struct Migrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Applies pending migrations and ends.",
        discussion: "Safe to run from many machines at once. Exits 0 when the schema is current, else 1.")

    func run() throws {
        let configuration: Configuration
        do { configuration = try Configuration.read(from: Configuration.processEnvironment) } catch {
            throw error.reported()
        }
        do throws(DatabaseError) {
            let session = try connect(configuration)
            let applied = try Migrations().apply(to: session)
            print(applied.isEmpty ? "The schema is current." : "Applied: \(applied.joined(separator: ", "))")
        } catch {
            var standardError = StandardError()
            print("error: \(error)", to: &standardError)
            throw ExitCode.failure
        }
    }

    private func connect(_ configuration: Configuration) throws(DatabaseError) -> Session {
        let credentials = DatabaseCredentials(
            configuration, logger: Logger(label: "items") { _ in SwiftLogNoOpLogHandler() })
        let options = try credentials.options()
        do throws(DatabaseError) { return try Session(options) } catch {
            guard error.errorClass == .authentication, credentials.renew(refused: options) else { throw error }
            return try Session(try credentials.options())
        }
    }
}
