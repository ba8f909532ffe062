exports = function(claims) {
  const key = context.values.get("signingKey");
  const token = utils.jwt.encode("HS256", { ...claims, by: context.user.id }, key);
  return { token, decoded: utils.jwt.decode(token, key, false, ["HS256"]) };
};
