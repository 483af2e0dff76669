/// Finds credentials where the AWS SDKs look, in their order: variables, the container's endpoint, the instance's role.
///
/// The first place that is configured answers or fails; another one's identity is never used instead. What expires is
/// fetched again in time. Safe to use from any thread; blocks while it asks.
public final class CredentialsChain: Sendable {
    /// EC2 gives an instance new credentials at least five minutes before the old ones expire (EC2 User Guide), so
    /// asking earlier would give the old ones.
    static let refreshMarginSeconds: Int64 = 300

    /// Between two attempts to replace credentials that still hold.
    static let retryIntervalSeconds: Int64 = 30

    private struct State {
        var credentials: Credentials?
        var attemptedAt: Int64?
    }

    private let environment: Environment
    private let time: TimeSource
    private let fetch: @Sendable (Environment) throws(CredentialsError) -> Credentials
    /// Held while fetching: whoever comes meanwhile waits for the same answer.
    private let state = Lock(State())

    /// Asks nobody yet.
    public convenience init(_ environment: Environment, time: TimeSource = .system) {
        self.init(environment, time: time, fetch: Self.find)
    }

    init(
        _ environment: Environment, time: TimeSource,
        fetch: @escaping @Sendable (Environment) throws(CredentialsError) -> Credentials
    ) {
        self.environment = environment
        self.time = time
        self.fetch = fetch
    }

    /// Credentials that hold now.
    public func current() throws(CredentialsError) -> Credentials {
        try state.withLock { (state) throws(CredentialsError) in
            let now = time.utcSeconds()
            let held = state.credentials.flatMap { $0.expiry ?? .max > now ? $0 : nil }
            if let held {
                let mayWait = state.attemptedAt.map { 0..<Self.retryIntervalSeconds ~= now - $0 } ?? false
                if held.expiry ?? .max > now + Self.refreshMarginSeconds || mayWait { return held }
            }
            state.attemptedAt = now
            do throws(CredentialsError) {
                let fetched = try fetch(environment)
                guard fetched.expiry ?? .max > now else { throw .expired(fetched.source) }
                state.credentials = fetched
                return fetched
            } catch {
                guard let held else { throw error }
                return held
            }
        }
    }

    /// Fetches anew next time, unless that has happened already: AWS no longer takes these.
    func discard(_ credentials: Credentials) {
        state.withLock { state in
            if state.credentials == credentials { state.credentials = nil }
        }
    }

    private static func find(_ environment: Environment) throws(CredentialsError) -> Credentials {
        switch (environment.accessKeyID, environment.secretAccessKey) {
        case (let id?, let secret?):
            return try Credentials(
                source: .environment, accessKeyID: id, secretAccessKey: secret, sessionToken: environment.sessionToken)
        case (nil, nil): break
        case (_?, nil), (nil, _?): throw .incompleteEnvironment
        }
        if let container = try ContainerCredentials(environment) { return try container.fetch() }
        guard let metadata = InstanceMetadata(environment) else { throw .none }
        return try fromRole(of: metadata)
    }

    /// EC2 User Guide, "Retrieve security credentials from instance metadata".
    private static func fromRole(of metadata: InstanceMetadata) throws(CredentialsError) -> Credentials {
        let path = "iam/security-credentials/"
        let document: String
        do throws(MetadataError) {
            let session = try metadata.open()
            let role = try session.read(path)?.split(separator: "\n").first.map(String.init)
            guard let role else { throw .noRole }
            // Names of roles (IAM API reference, CreateRole); anything else would be another path.
            guard role.utf8.allSatisfy(isRoleByte) else { throw .malformed }
            guard let text = try session.read(path + role) else { throw .noRole }
            document = text
        } catch { throw .instance(error) }
        return try CredentialsDocument.read(Array(document.utf8), from: .instance)
    }

    private static func isRoleByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "+=,.@_-".utf8.contains(byte)
        }
    }
}
