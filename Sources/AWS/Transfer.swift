import CCurl
import Platform

/// One HTTP request over libcurl, on the caller's thread, bounded in time and size.
struct Transfer: Sendable {
    /// A secret has at most 64 KiB (API reference, GetSecretValue); escaped in JSON and with its envelope it stays
    /// below twice that. All other answers are far smaller.
    static let bodyByteLimit = 131_072

    /// The first version whose signatures of these requests were compared with another signer's.
    private static let signingVersion: UInt32 = 0x07_58_00

    enum Method: Sendable {
        case get
        /// Without a body.
        case put
        case post([UInt8])
    }

    /// The parameters of AWS Signature Version 4.
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
        /// Whether the host is a service of the machine itself, which is never reached through a proxy.
        var isLocal = false
        var connectTimeout: Duration
        /// From the start to the last byte of the answer.
        var timeout: Duration
    }

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
    }

    /// A file of trusted certificates, in place of the system's.
    let certificateBundle: String?

    /// Swift initialises static values once, on one thread; libcurl's own start is not thread-safe in every version.
    private static let isStarted = ccurl_start() == CURLE_OK

    func perform(_ request: Request) throws(TransferError) -> Answer {
        precondition(Self.isStarted, "libcurl could not be initialized")
        let host = try WebAddress(request.url).host
        if request.signature != nil, ccurl_loaded_version() < Self.signingVersion { throw .signingUnsupported }
        let handle = Handle()
        try handle.configure(request, certificateBundle: certificateBundle)
        let code = handle.run()
        guard code == CURLE_OK else { throw handle.error(code, host: host) }
        return Answer(status: handle.status, body: handle.body)
    }
}

/// An easy handle and the values that must live as long.
@safe private final class Handle {
    // Owned: created by `init`; `deinit` frees it before the values it points to.
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
        // A redirect would send a signature or a token to another host.
        set(CURLOPT_FOLLOWLOCATION, 0)
        // Time limits by signal would interrupt an arbitrary thread.
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.milliseconds)
        set(CURLOPT_TIMEOUT_MS, request.timeout.milliseconds)
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
            // Two options instead of one text with a colon, so that nothing needs to be split.
            set(CURLOPT_USERNAME, signature.credentials.accessKeyID)
            set(CURLOPT_PASSWORD, signature.credentials.secretAccessKey.exposed)
        }
        for field in request.headers {
            // libcurl sends no field for an empty value, but signs it.
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

    /// Runs until the answer is complete or the transfer fails.
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
            // The buffer ends in a zero byte: libcurl writes a C string or leaves the zeros.
            .tls(host: host, reason: unsafe reason.pointee == 0 ? text(code) : printable(String(cString: reason)))
        default: .failed(host: host, reason: text(code))
        }
    }

    /// - Returns: fewer bytes than received, to end the transfer.
    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard body.count + bytes.count <= Transfer.bodyByteLimit else {
            isTooLarge = true
            return 0
        }
        unsafe body.append(contentsOf: bytes)
        return bytes.count
    }

    /// A constant string of libcurl.
    private func text(_ code: CURLcode) -> String { unsafe String(cString: curl_easy_strerror(code)) }

    private func set(_ option: CURLoption, _ value: Int) {
        succeed(unsafe ccurl_set_number(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) {
        succeed(unsafe ccurl_set_text(handle, option, value))
    }

    /// Options fail only when there is no memory, or when libcurl was built without a required feature.
    private func succeed(_ code: CURLcode) {
        precondition(code == CURLE_OK, "libcurl rejected an option: \(text(code))")
    }
}

/// At most 300 characters in one line: text of other programs for a log.
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
