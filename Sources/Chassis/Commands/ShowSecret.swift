import AWS
import ArgumentParser
import Platform

/// `secret`: prints where the database's password comes from, without its value.
struct ShowSecret: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "secret",
            abstract: "Says where the database's password comes from, and reads it, without showing it.",
            discussion: """
                With DB_SECRET_ID the secret is read from Secrets Manager as `\(Service.current.name) serve` does, and the \
                names of its fields are
                printed, never their values. Exits 0, or 1 with the reason on standard error.
                """)
    }

    func run() throws {
        let service = Service.current
        _ = CurrentProcess.removeLibraryVariables()
        let (settings, errors) = Configuration.examine(for: service, needsDatabase: false, serves: false)
        // Other errors concern the server, which reports them.
        let ours = errors.filter { error in error.variables.contains(where: Self.isOurs) }
        guard ours.isEmpty else { throw ConfigurationErrors(errors: ours).reported() }
        let database = settings.database
        let fallback = database.passwordOrigin ?? "none"
        guard let id = database.secretID else {
            print("source: \(fallback)")
            return
        }
        CurrentProcess.ignoreWriteSignals()
        var standardError = StandardError()
        print("source: DB_SECRET_ID")
        print("secret: \(id)")
        let manager = SecretsManager(secretID: id, environment: Environment(settings.aws)) { event in
            guard case .retrying(let error, _, let pause) = event else { return }
            var standardError = StandardError()
            print("\(service.name) secret: \(error), trying again in \(pause.milliseconds) ms", to: &standardError)
        }
        do throws(SecretError) {
            print("region: \(try manager.region())")
            do throws(CredentialsError) {
                print("credentials: \(try manager.credentials.current().source)")
            } catch { throw .credentials(error) }
            let secret = try manager.fetch()
            print("fields: \(secret.fields.joined(separator: ", "))")
            if !secret.otherFields.isEmpty { print("unused fields: \(secret.otherFields.joined(separator: ", "))") }
            if secret.password == nil { print("password: \(fallback)") }
        } catch {
            print("\(service.name) secret: \(error)", to: &standardError)
            throw ExitCode.failure
        }
    }

    /// Whether the variable affects the secret.
    private static func isOurs(_ variable: String) -> Bool {
        variable == "DB_SECRET_ID" || variable.hasPrefix("DB_PASSWORD") || variable == "CREDENTIALS_DIRECTORY"
            || variable.hasPrefix("AWS_")
    }
}
