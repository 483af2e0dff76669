import AWS
import Logging
import Platform
import Postgres

/// Provides host, user and password before every connection, so that the next connection uses a changed file or secret.
/// May be called on any thread; blocks while a file or Secrets Manager is read.
///
/// Values of the secret take precedence over `DB_*`; user and password come from one place and are never combined from
/// two.
final class DatabaseCredentials: Sendable {
    private let service: Service
    private let database: Configuration.Database
    private let secret: SecretCache?

    init(of service: Service, _ configuration: Configuration, logger: Logger) {
        self.service = service
        database = configuration.database
        secret = configuration.database.secretID.map { secretID in
            let tell = { @Sendable (event: SecretEvent) in Self.log(event, to: logger) }
            let manager = SecretsManager(
                secretID: secretID, environment: AWS.Environment(configuration.aws), observe: tell)
            return SecretCache(fetch: manager.fetch, observe: tell)
        }
    }

    /// The options for connecting now.
    ///
    /// - Throws: `DatabaseError.connectFailed` when the secret, or the password in its file, cannot be read.
    func options() throws(DatabaseError) -> ConnectionOptions {
        var options = ConnectionOptions(database, of: service)
        if let secret {
            do throws(SecretError) { options.use(try secret.current().secret) } catch {
                throw .connectFailed("Secrets Manager: \(error)")
            }
        }
        if options.password == nil {
            do throws(ConfigurationError) { options.password = try database.passwordSource.current()?.exposed } catch {
                throw .connectFailed("\(error)")
            }
        }
        guard !options.host.isEmpty else { throw .connectFailed("neither DB_HOST nor the secret names a host") }
        return options
    }

    /// Looks for credentials other than those that the server refused.
    ///
    /// - Returns: whether `options` has other ones now.
    func renew(refused: ConnectionOptions) -> Bool {
        if let secret, let entry = try? secret.current() {
            // They are already fetched when another connection was refused before this one.
            var present = ConnectionOptions(database, of: service)
            present.use(entry.secret)
            if !present.hasSameCredentials(as: refused) && present.password != nil { return true }
            _ = try? secret.refetch(after: entry.generation)
        }
        guard let present = try? options() else { return false }
        return !present.hasSameCredentials(as: refused)
    }

    private static func log(_ event: SecretEvent, to logger: Logger) {
        switch event {
        case .changed(let generation):
            logger.info("Database secret read", metadata: ["generation": "\(generation)"])
        case .unchanged:
            logger.debug("Database secret read again, unchanged")
        case .refreshFailed(let error):
            logger.warning("Database secret not refreshed: the one in hand is used", metadata: ["reason": "\(error)"])
        case .fetchFailed(let error):
            // The pool reports once that the database cannot be reached, and why.
            logger.debug("Database secret not read", metadata: ["reason": "\(error)"])
        case .retrying(let error, let attempt, let pause):
            logger.debug(
                "Database secret asked for again",
                metadata: ["reason": "\(error)", "attempt": "\(attempt)", "pause_ms": "\(pause.milliseconds)"])
        }
    }
}

extension ConnectionOptions {
    /// Without the password, which is read before every connection.
    fileprivate init(_ database: Configuration.Database, of service: Service) {
        self.init(
            host: database.host ?? "", port: database.port, database: database.name, user: database.user,
            sslMode: database.sslMode.rawValue, sslRootCertificate: database.sslRootCertificate,
            connectTimeout: database.connectTimeout,
            statementTimeout: database.statementTimeout,
            prepares: database.usesPreparedStatements, applicationName: service.name,
            sessionSettings: service.sessionSettings)
    }

    fileprivate mutating func use(_ secret: DatabaseSecret) {
        if let host = secret.host { self.host = host }
        if let port = secret.port { self.port = String(port) }
        if let name = secret.dbname { database = name }
        guard let password = secret.password else { return }
        self.password = password.exposed
        if let user = secret.username { self.user = user }
    }

    /// Compared byte by byte: texts that are equal in Swift may be different passwords.
    fileprivate func hasSameCredentials(as other: ConnectionOptions) -> Bool {
        user.utf8.elementsEqual(other.user.utf8) && (password == nil) == (other.password == nil)
            && (password ?? "").utf8.elementsEqual((other.password ?? "").utf8)
    }
}
