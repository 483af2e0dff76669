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
        _ = CurrentProcess.removeLibraryVariables()
        let configuration: Configuration
        do { configuration = try Configuration.read(from: Configuration.processEnvironment) } catch {
            throw error.reported()
        }
        CurrentProcess.ignoreBrokenPipes()
        do throws(DatabaseError) {
            let silent = Logger(label: "items") { _ in SwiftLogNoOpLogHandler() }
            let credentials = DatabaseCredentials(configuration, logger: silent)
            let session = try Connector(options: credentials.options, renew: credentials.renew).session()
            if let encoding = session.serverEncoding, encoding != "UTF8" {
                var standardError = StandardError()
                print("warning: the database's encoding is \(encoding), not UTF8", to: &standardError)
            }
            let applied = try Migrations().apply(to: session)
            print(applied.isEmpty ? "The schema is current." : "Applied: \(applied.joined(separator: ", "))")
        } catch {
            var standardError = StandardError()
            print("error: \(error)", to: &standardError)
            throw ExitCode.failure
        }
    }
}
