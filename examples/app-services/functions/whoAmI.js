exports = function() {
  return { user: context.user, method: context.request.httpMethod, query: context.request.rawQueryString };
};
