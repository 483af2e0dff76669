import FoundationEssentials

/// Reads one secret from AWS Secrets Manager. Blocks; safe to use from any thread.
public struct SecretsManager: Sendable {
    /// Within a region a handshake takes milliseconds; the rest is for a NAT gateway that has just started.
    private static let connectTimeout = Duration.milliseconds(2000)
    /// GetSecretValue takes about ten milliseconds, and the first use of a KMS key some hundred.
    private static let timeout = Duration.milliseconds(5000)

    /// Provides the credentials that sign the requests.
    public let credentials: CredentialsChain

    private let secretID: String
    private let environment: Environment
    private let time: TimeSource
    private let observe: @Sendable (SecretEvent) -> Void
    private let transfer: Transfer
    /// The metadata service's answer; nil until a request succeeded.
    private let instanceRegion = Lock<String?>(nil)

    /// Sends no request yet.
    ///
    /// - Parameters:
    ///   - secretID: name or ARN.
    ///   - environment: endpoints, region and credentials.
    ///   - time: the machine's, or a test's.
    ///   - observe: called for every retry, on the fetching thread.
    public init(
        secretID: String, environment: Environment, time: TimeSource = .system,
        observe: @escaping @Sendable (SecretEvent) -> Void = { _ in }
    ) {
        self.secretID = secretID
        self.environment = environment
        self.time = time
        self.observe = observe
        credentials = CredentialsChain(environment, time: time)
        transfer = Transfer(certificateBundle: environment.certificateBundle)
    }

    /// Reads the secret's current version. Retries transient errors, and gives up after at most half a minute.
    public func fetch() throws(SecretError) -> DatabaseSecret {
        var attempt = 1
        while true {
            do throws(SecretError) {
                return try ask()
            } catch {
                guard error.isTransient, attempt < Retry.attemptLimit else { throw error }
                let pause = Retry.pause(afterAttempt: attempt, fraction: time.fraction())
                observe(.retrying(error, attempt: attempt, pause: pause))
                time.sleep(pause)
                attempt += 1
            }
        }
    }

    /// The region of the ARN, else of the variables, else of the instance.
    public func region() throws(SecretError) -> String {
        let region: String
        if let named = try regionOfARN() ?? environment.region {
            region = named
        } else {
            region = try regionOfInstance()
        }
        // It becomes part of a host name and of the signed text.
        guard !region.isEmpty, region.utf8.count <= 32, region.utf8.allSatisfy(isRegionByte) else {
            throw .invalidRegion
        }
        return region
    }

    /// The endpoint's URL (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
    public func endpoint() throws(SecretError) -> String {
        if let url = environment.secretsManagerEndpointURL ?? environment.endpointURL { return url }
        let region = try region()
        return "https://secretsmanager.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")"
    }

    /// One attempt (Secrets Manager API reference, GetSecretValue).
    private func ask() throws(SecretError) -> DatabaseSecret {
        let region = try region()
        let endpoint = try endpoint()
        let credentials: Credentials
        do throws(CredentialsError) { credentials = try self.credentials.current() } catch { throw .credentials(error) }
        guard let body = try? JSONEncoder().encode(["SecretId": secretID]) else {
            preconditionFailure("a string that is not JSON")
        }
        var request = Transfer.Request(
            method: .post([UInt8](body)), url: endpoint,
            headers: [
                ("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", "secretsmanager.GetSecretValue"),
            ],
            signature: .init(region: region, service: "secretsmanager", credentials: credentials),
            connectTimeout: Self.connectTimeout, timeout: Self.timeout)
        if let token = credentials.sessionToken {
            request.headers.append(("X-Amz-Security-Token", token.exposed))
        }
        let answer: Transfer.Answer
        do throws(TransferError) { answer = try transfer.perform(request) } catch { throw .transfer(error) }
        guard answer.status == 200 else {
            let refusal = refusal(answer, region: region)
            if refusal == .credentialsExpired { self.credentials.discard(credentials) }
            throw refusal
        }
        guard let value = try? JSONDecoder().decode(SecretValue.self, from: Data(answer.body)) else {
            throw .malformedAnswer
        }
        do throws(DatabaseSecret.Problem) {
            guard let text = value.text else { throw .noJSONObject }
            return try DatabaseSecret(text)
        } catch { throw .unusable(error) }
    }

    private func refusal(_ answer: Transfer.Answer, region: String) -> SecretError {
        let fault = try? JSONDecoder().decode(Fault.self, from: Data(answer.body))
        let code = fault?.code.split(separator: "#").last ?? ""
        return SecretError(
            status: answer.status, code: printable(String(code)), message: printable(fault?.message ?? ""),
            region: region)
    }

    private func regionOfARN() throws(SecretError) -> String? {
        guard secretID.hasPrefix("arn:") else { return nil }
        let parts = secretID.split(separator: ":", maxSplits: 6, omittingEmptySubsequences: false)
        guard parts.count == 7, parts[2] == "secretsmanager", !parts[3].isEmpty, parts[5] == "secret", !parts[6].isEmpty
        else { throw .invalidARN }
        return String(parts[3])
    }

    private func regionOfInstance() throws(SecretError) -> String {
        try instanceRegion.withLock { (known) throws(SecretError) in
            if let known { return known }
            guard let metadata = InstanceMetadata(environment) else { throw .noRegion(nil) }
            do throws(MetadataError) {
                guard let region = try metadata.open().read("placement/region") else { throw .malformed }
                known = region
                return region
            } catch { throw .noRegion(error) }
        }
    }

    private struct SecretValue: Decodable {
        let text: String?

        enum CodingKeys: String, CodingKey {
            case text = "SecretString"
        }
    }

    /// The JSON protocol has two spellings of the message.
    private struct Fault: Decodable {
        let code: String
        let message: String?

        private enum Key: String, CodingKey {
            case code = "__type"
            case message
            case capitalMessage = "Message"
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            code = try container.decode(String.self, forKey: .code)
            message =
                try container.decodeIfPresent(String.self, forKey: .message)
                ?? container.decodeIfPresent(String.self, forKey: .capitalMessage)
        }
    }
}

private func isRegionByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x61...0x7A, 0x2D: true
    default: false
    }
}
