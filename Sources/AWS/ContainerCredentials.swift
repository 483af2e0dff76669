import FoundationEssentials

/// The credentials that ECS gives to a task and EKS to a pod (AWS SDKs and Tools Reference Guide, "Container credential
/// provider").
struct ContainerCredentials {
    /// Where ECS answers for a relative URI.
    private static let agent = "http://169.254.170.2"

    /// Hosts allowed with plain http, which do not leave the machine: ECS, EKS over IPv4, EKS over IPv6.
    private static let agentHosts: Set = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]

    /// The endpoint is on the same machine, but may have to request the role's credentials itself.
    private static let timeout = Duration.milliseconds(2000)

    /// A token of EKS has 1 to 2 KB; a larger file is not a token.
    private static let tokenByteLimit = 16_384

    private let url: String
    private let token: Redacted?
    private let tokenFile: String?
    private let transfer: Transfer

    /// - Returns: nil when neither URI is set.
    init?(_ environment: Environment, agent: String = agent) throws(CredentialsError) {
        if let path = environment.containerCredentialsRelativeURI?.exposed {
            // Without the slash the path could extend the host's name.
            guard path.hasPrefix("/") else { throw .container(.invalidURL) }
            url = agent + path
        } else if let full = environment.containerCredentialsFullURI {
            try Self.check(full)
            url = full
        } else {
            return nil
        }
        token = environment.containerAuthorizationToken
        tokenFile = environment.containerAuthorizationTokenFile
        transfer = Transfer(certificateBundle: environment.certificateBundle)
    }

    func fetch() throws(CredentialsError) -> Credentials {
        var headers = [(name: "Accept", value: "application/json")]
        if let authorization = try authorization() { headers.append(("Authorization", authorization.exposed)) }
        let answer: Transfer.Answer
        do throws(TransferError) {
            answer = try transfer.perform(
                Transfer.Request(
                    method: .get, url: url, headers: headers, isLocal: true,
                    connectTimeout: Self.timeout,
                    timeout: Self.timeout))
        } catch { throw .container(error) }
        guard answer.status == 200 else { throw .containerStatus(answer.status) }
        return try CredentialsDocument.read(answer.body, from: .container)
    }

    /// Read for every request, because EKS renews the file.
    private func authorization() throws(CredentialsError) -> Redacted? {
        guard let tokenFile else { return token.flatMap { $0.exposed.isEmpty ? nil : $0 } }
        guard let data = FileManager.default.contents(atPath: tokenFile), data.count <= Self.tokenByteLimit,
            let text = String(validating: data, as: UTF8.self)
        else { throw .unreadableTokenFile }
        let token = text.hasSuffix("\n") ? String(text.dropLast()) : text
        guard !token.isEmpty else { throw .unreadableTokenFile }
        return Redacted(token)
    }

    private static func check(_ url: String) throws(CredentialsError) {
        let address: WebAddress
        do throws(TransferError) { address = try WebAddress(url) } catch { throw .container(error) }
        guard address.isEncrypted || agentHosts.contains(address.host) || isLoopback(address.host) else {
            throw .unsafeContainerURI(host: printable(address.host))
        }
    }

    /// libcurl treats `localhost` as an address and does not resolve it.
    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
