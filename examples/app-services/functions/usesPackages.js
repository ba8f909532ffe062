exports = async function() {
  const axios = require("axios");
  return (await axios.get("https://example.com")).status;
};
