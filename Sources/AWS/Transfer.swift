import CCurl

/// One HTTP request over libcurl, on the caller's thread, bounded in time and size.
struct Transfer: Sendable {
    /// A secret holds at most 64 KiB (API reference, GetSecretValue); escaped in JSON and with its envelope it stays
    /// below twice that. Every other answer read here is far smaller.
    static let bodyByteLimit = 131_072

    /// The first version whose signatures were checked against another signer for the requests made here.
    private static let signingVersion: UInt32 = 0x07_58_00

    enum Method: Sendable {
        case get
        /// Without a body.
        case put
        case post([UInt8])
    }

    /// What AWS Signature Version 4 takes.
    struct Signature: Sendable {
        let region: String
        let service: String
        let credentials: Credentials
    }

    struct Request: Sendable {
        let method: Method
        let url: String
        var headers: [(name: String, value: String)] = []
        var signature: Signature?
        /// The machine's own services: never by way of a proxy, whatever the environment says.
        var isLocal = false
        var connectTimeoutMilliseconds: Int
        /// From the start to the answer's last byte.
        var timeoutMilliseconds: Int
    }

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
    }

    /// A file of certificates to trust instead of the system's.
    let certificateBundle: String?

    /// Thread-safe by the language's rules for static values, as libcurl's own start is not in every version.
    private static let isStarted = ccurl_start() == CURLE_OK

    func perform(_ request: Request) throws(TransferError) -> Answer {
        precondition(Self.isStarted, "libcurl does not start")
        let host = try WebAddress(request.url).host
        if request.signature != nil, ccurl_loaded_version() < Self.signingVersion { throw .signingUnsupported }
        let handle = Handle()
        try handle.configure(request, certificateBundle: certificateBundle)
        let code = handle.run()
        guard code == CURLE_OK else { throw handle.error(code, host: host) }
        return Answer(status: handle.status, body: handle.body)
    }
}

/// An easy handle and what has to live as long as it does.
@safe private final class Handle {
    // Owned: made by `init`, given back by `deinit` after the handle that points to them.
    private let handle: UnsafeMutableRawPointer
    private let reason: UnsafeMutablePointer<CChar>
    private var fields: UnsafeMutablePointer<curl_slist>?
    private(set) var body: [UInt8] = []
    private var isTooLarge = false

    init() {
        guard let handle = unsafe curl_easy_init() else { fatalError("out of memory") }
        unsafe self.handle = handle
        unsafe reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe reason.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(fields)
        unsafe reason.deallocate()
    }

    func configure(_ request: Transfer.Request, certificateBundle: String?) throws(TransferError) {
        succeed(unsafe ccurl_set_error_buffer(handle, reason))
        set(CURLOPT_URL, request.url)
        succeed(unsafe ccurl_allow_http_only(handle))
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        // A redirect would carry a signature or a token to somebody else.
        set(CURLOPT_FOLLOWLOCATION, 0)
        // Time limits by signal would hit whatever thread the kernel picks.
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeoutMilliseconds)
        set(CURLOPT_TIMEOUT_MS, request.timeoutMilliseconds)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let certificateBundle { set(CURLOPT_CAINFO, certificateBundle) }
        if request.isLocal { set(CURLOPT_PROXY, "") }
        switch request.method {
        case .get: set(CURLOPT_HTTPGET, 1)
        case .put: set(CURLOPT_CUSTOMREQUEST, "PUT")
        case .post(let bytes):
            set(CURLOPT_POST, 1)
            succeed(unsafe ccurl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
            succeed(unsafe bytes.withUnsafeBytes { unsafe ccurl_copy_body(handle, $0.baseAddress) })
        }
        if let signature = request.signature {
            set(CURLOPT_AWS_SIGV4, "aws:amz:\(signature.region):\(signature.service)")
            // Two options instead of one text with a colon in it, so that nothing needs splitting.
            set(CURLOPT_USERNAME, signature.credentials.accessKeyID)
            set(CURLOPT_PASSWORD, signature.credentials.secretAccessKey.exposed)
        }
        for field in request.headers {
            // libcurl sends no field for an empty value and signs it nevertheless.
            precondition(!field.value.isEmpty, "\(field.name) without a value")
            guard field.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw .invalidHeader(field.name) }
            // The list copies the text.
            guard let longer = unsafe curl_slist_append(fields, "\(field.name): \(field.value)") else {
                fatalError("out of memory")
            }
            unsafe fields = longer
        }
        succeed(unsafe ccurl_set_headers(handle, fields))
        let receive: @convention(c) (UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?) -> Int = {
            (bytes, size, count, context) in
            // libcurl passes on the pointer it was given, and bytes that are valid during the call.
            unsafe Unmanaged<Handle>.fromOpaque(context!).takeUnretainedValue()
                .receive(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        succeed(unsafe ccurl_set_receiver(handle, receive, Unmanaged.passUnretained(self).toOpaque()))
    }

    /// Until the answer is complete or given up.
    func run() -> CURLcode {
        unsafe curl_easy_perform(handle)
    }

    var status: Int { unsafe ccurl_get_number(handle, CURLINFO_RESPONSE_CODE) }

    func error(_ code: CURLcode, host: String) -> TransferError {
        switch code {
        case CURLE_OPERATION_TIMEDOUT:
            .timedOut(host: host, connected: unsafe ccurl_get_size(handle, CURLINFO_CONNECT_TIME_T) > 0)
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unresolved(host: host)
        case CURLE_COULDNT_CONNECT: .unreachable(host: host)
        case CURLE_WRITE_ERROR where isTooLarge: .tooLarge(host: host, limit: Transfer.bodyByteLimit)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .invalidURL
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CIPHER, CURLE_SSL_CERTPROBLEM:
            // The buffer ends in a zero byte: libcurl writes a C string, or nothing over the zeros.
            .tls(host: host, reason: unsafe reason.pointee == 0 ? text(code) : printable(String(cString: reason)))
        default: .failed(host: host, reason: text(code))
        }
    }

    /// - Returns: fewer bytes than came to end the transfer.
    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard body.count + bytes.count <= Transfer.bodyByteLimit else {
            isTooLarge = true
            return 0
        }
        unsafe body.append(contentsOf: bytes)
        return bytes.count
    }

    /// A constant of libcurl.
    private func text(_ code: CURLcode) -> String { unsafe String(cString: curl_easy_strerror(code)) }

    private func set(_ option: CURLoption, _ value: Int) {
        succeed(unsafe ccurl_set_number(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) {
        succeed(unsafe ccurl_set_text(handle, option, value))
    }

    /// Options fail when there is no memory, or when libcurl was built without what this process cannot do without.
    private func succeed(_ code: CURLcode) {
        precondition(code == CURLE_OK, "libcurl refuses an option: \(text(code))")
    }
}

/// At most 300 characters in one line: words of others that go into a log.
func printable(_ text: String) -> String {
    let limit = 300
    let line = String(
        String.UnicodeScalarView(
            text.unicodeScalars.map {
                $0.properties.generalCategory == .control ? " " : $0
            }
        ).prefix(limit))
    return text.unicodeScalars.count > limit ? line + "…" : line
}
