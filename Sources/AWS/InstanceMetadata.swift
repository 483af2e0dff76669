/// A client of EC2's instance metadata service, version 2 only: it requests a token, and sends it with each further
/// request (EC2 User Guide, "Use IMDS").
struct InstanceMetadata: Sendable {
    private static let standardEndpoint = "http://169.254.169.254"

    /// The service is on the machine itself and answers within milliseconds. A longer wait means that it does not
    /// exist.
    static let timeout = Duration.milliseconds(1000)

    /// A lost packet is sent again within a second; if that fails too, the service is away.
    static let attemptLimit = 2

    /// Long enough for the requests of one query, which take milliseconds, and not longer, because a token gives access
    /// to the credentials.
    private static let tokenLifetimeSeconds = 60

    private let endpoint: String
    private let transfer: Transfer
    private let attemptLimit: Int
    private let timeout: Duration

    /// - Returns: nil when `AWS_EC2_METADATA_DISABLED` is set.
    init?(
        _ environment: Environment, attemptLimit: Int = attemptLimit, timeout: Duration = timeout
    ) {
        guard !environment.isMetadataServiceDisabled else { return nil }
        let endpoint = environment.metadataServiceEndpoint ?? Self.standardEndpoint
        self.endpoint = endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        transfer = Transfer(certificateBundle: environment.certificateBundle)
        self.attemptLimit = attemptLimit
        self.timeout = timeout
    }

    /// A session token, and the requests that it allows.
    struct Session: Sendable {
        fileprivate let service: InstanceMetadata
        fileprivate let token: String

        /// Returns the value at a path below `/latest/meta-data/`, or nil when the service has none.
        func read(_ path: String) throws(MetadataError) -> String? {
            let answer: Transfer.Answer
            do throws(TransferError) {
                answer = try service.ask(
                    .get, "/latest/meta-data/\(path)", [("X-aws-ec2-metadata-token", token)])
            } catch { throw .transfer(error) }
            switch answer.status {
            case 200: break
            case 404: return nil
            default: throw .status(answer.status)
            }
            guard let text = String(validating: answer.body, as: UTF8.self) else { throw .malformed }
            return text
        }
    }

    func open() throws(MetadataError) -> Session {
        let answer: Transfer.Answer
        do throws(TransferError) {
            answer = try ask(
                .put, "/latest/api/token",
                [("X-aws-ec2-metadata-token-ttl-seconds", String(Self.tokenLifetimeSeconds))])
        } catch .timedOut(_, connected: true) {
            throw .tokenTimedOut
        } catch { throw .transfer(error) }
        guard answer.status == 200 else { throw .status(answer.status) }
        guard !answer.body.isEmpty, answer.body.allSatisfy({ 0x21...0x7E ~= $0 }) else { throw .malformed }
        return Session(service: self, token: String(decoding: answer.body, as: UTF8.self))
    }

    private func ask(
        _ method: Transfer.Method, _ path: String, _ headers: [(name: String, value: String)]
    ) throws(TransferError) -> Transfer.Answer {
        let request = Transfer.Request(
            method: method, url: endpoint + path, headers: headers, isLocal: true,
            connectTimeout: timeout, timeout: timeout)
        var attempt = 1
        while true {
            do throws(TransferError) {
                let answer = try transfer.perform(request)
                guard answer.status >= 500, attempt < attemptLimit else { return answer }
            } catch {
                guard error.isTransient, attempt < attemptLimit else { throw error }
            }
            attempt += 1
        }
    }
}

/// Why the metadata service gave no answer.
public enum MetadataError: Error, Equatable, Sendable {
    /// The service accepted the connection for the token request and did not answer in time.
    case tokenTimedOut
    /// The instance has no role.
    case noRole
    case status(Int)
    /// The answer does not have the documented form.
    case malformed
    case transfer(TransferError)
}

extension MetadataError: CustomStringConvertible {
    /// One line for a log.
    public var description: String {
        switch self {
        case .tokenTimedOut:
            "the instance metadata service did not answer the request for a token: "
                + "in a container the instance's metadata hop limit (HttpPutResponseHopLimit) must be 2 or more"
        case .noRole: "the instance has no IAM role"
        case .status(403): "the instance metadata service is switched off for this instance (status 403)"
        case .status(let status): "the instance metadata service answered with status \(status)"
        case .malformed: "the response of the instance metadata service was not understood"
        case .transfer(let error): "the instance metadata service: \(error)"
        }
    }

    /// Whether the same request may succeed a moment later.
    var isTransient: Bool {
        switch self {
        case .status(let status): status >= 500
        // Two attempts failed, so the service does not exist: this is not an EC2 instance, or a container without
        // access.
        case .tokenTimedOut, .noRole, .malformed, .transfer: false
        }
    }
}
