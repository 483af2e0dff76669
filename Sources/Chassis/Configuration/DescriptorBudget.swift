import Postgres
import Reactor

/// How the descriptors that the process may open are divided: what the database, secrets, names and the server itself need
/// is kept back, and clients get the rest. Without that, clients who stay would keep the pool from a database that is back.
struct DescriptorBudget: Equatable, Sendable {
    /// Clients of `ADMIN_PORT`, if there is one: operators and what reads the metrics.
    static let adminConnectionLimit = 100
    /// With fewer places than this for clients, and fewer than they were given, the start ends.
    static let fewestConnections = 4
    /// Reading a secret, or the credentials for it, over HTTPS.
    private static let secretCount = 8
    /// For the signals and the runtime, and for what is opened for a moment: files of /proc, the certificates.
    private static let spareCount = 8

    /// `RLIMIT_NOFILE`.
    let limit: Int
    /// What is kept back from clients.
    let reserved: Int
    /// The places for clients: at most `MAX_CONNECTIONS`.
    let connections: Int
    /// The places on `ADMIN_PORT`; 0 without one.
    let adminConnections: Int
    private let wanted: Int

    /// - Parameters:
    ///   - limit: descriptors that the process may have open at once.
    ///   - open: those that are open before loops, listeners and the pool are made.
    /// - Throws: when too few are left for clients.
    init(_ configuration: Configuration, limit: Int, open: Int) throws(Shortage) {
        let http = configuration.http
        let servers = http.adminPort == nil ? 1 : 2
        var reserved = open + Self.spareCount
        reserved += http.workers * (EventLoop.descriptorCount + servers * Listener.descriptorCount)
        reserved += Database.descriptorCount(loops: http.workers, maximum: configuration.database.poolMaximum)
        if configuration.database.secretID != nil { reserved += Self.secretCount }
        self.limit = limit
        self.reserved = reserved
        wanted = http.maxConnections
        let rest = limit - reserved
        adminConnections =
            http.adminPort == nil ? 0 : min(http.maxConnections, Self.adminConnectionLimit, max(2, rest / 10))
        connections = min(http.maxConnections, rest - adminConnections)
        let fewest = min(http.maxConnections, Self.fewestConnections)
        guard connections >= fewest else {
            throw Shortage(limit: limit, needed: reserved + adminConnections + fewest)
        }
    }

    /// What an operator should know of it; nil when everything is as it was configured.
    var warning: String? {
        guard connections < wanted else { return nil }
        return """
            MAX_CONNECTIONS is lowered from \(wanted) to \(connections): \(limit) descriptors may be open (RLIMIT_NOFILE), and \
            \(limit - connections) are kept for the database and the server itself
            """
    }

    /// Too few descriptors to serve anybody.
    struct Shortage: Error, Equatable, CustomStringConvertible {
        let limit: Int
        let needed: Int

        var description: String {
            "\(limit) descriptors may be open (RLIMIT_NOFILE), and at least \(needed) are needed"
        }
    }
}
