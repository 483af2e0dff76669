import ArgumentParser

/// `healthcheck`: requests a check from the server on this machine, for container health checks without curl.
struct Healthcheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks the running server for its health.",
        discussion: """
            Honours PORT, HOST and BASE_PATH as the server does. Exits 0 on a 2xx answer within 2.5 s, else 1 with the
            reason on standard error. Where a failed check restarts the container, /health/live is the better path: it
            does not fail with the database.
            """)

    @Option(help: "The path to ask for, below BASE_PATH.")
    var path = "/health/ready"

    /// The server gives its database 2 s; a container runtime's own limit is usually 3 s or more.
    private static let limit = Duration.milliseconds(2500)

    private static let variables: Set = ["PORT", "HOST", "BASE_PATH"]

    func validate() throws {
        // The path is sent unchanged, so it must not contain a byte that ends the request line.
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw ValidationError("--path must begin with / and contain neither spaces nor control characters")
        }
    }

    func run() throws {
        let service = Service.current
        let (settings, errors) = Configuration.examine(for: service, needsDatabase: false, serves: false)
        // Other errors concern the server, which reports them.
        let ours = errors.filter { !Self.variables.isDisjoint(with: $0.variables) }
        guard ours.isEmpty else { throw ConfigurationErrors(errors: ours).reported() }
        do {
            let probe = Probe(
                host: settings.http.host, port: settings.http.port,
                userAgent: "\(service.name)-healthcheck/\(service.version)", limit: Self.limit)
            let status = try probe.status(of: settings.http.basePath + path)
            guard 200..<300 ~= status else { throw Probe.Failure.status(status) }
        } catch {
            var standardError = StandardError()
            print("\(service.name) healthcheck: \(error)", to: &standardError)
            throw ExitCode.failure
        }
    }
}
